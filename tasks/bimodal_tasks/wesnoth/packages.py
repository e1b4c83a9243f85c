"""Where Wesnoth's campaigns come from: Debian packages of one version, and what of them is used."""

from __future__ import annotations

from bimodal_tasks.packages import Package

VERSION = "1:1.16.9-1"
PACKAGES = (
    Package(
        "wesnoth-1.16-data", VERSION, 146229044, "1012b964bd412a6770685e3324ae3b61e176caff7846192d1ee63d55cd621e26"
    ),
    Package("wesnoth-1.16-did", VERSION, 5779752, "774619f5aaeb7eb4c848e1cc1758795a8c58e96bd270cceecc9d847dbcc769b3"),
    Package("wesnoth-1.16-dm", VERSION, 5388248, "1997ad4d91e8de36415db2a3445904288f588a76d75111222d2aace409ace5c6"),
    Package("wesnoth-1.16-dw", VERSION, 5178324, "47982e08b2a5d5fd79f400a5453f32c6d7dd56f2ccc10412a9e47dec8a9b3ca4"),
    Package("wesnoth-1.16-ei", VERSION, 5897320, "687abe111ee662b7324336ddadc209758f68d2eeb1ccbf630238f27a0e3c6404"),
    Package("wesnoth-1.16-httt", VERSION, 12903056, "05b16a3f8f8204278794aae14d8e6a7c95d2b2faef7337c4997c827a146d1bbd"),
    Package("wesnoth-1.16-l", VERSION, 5510536, "5383c79046df6121929bc36a8ec3f970ab4cf9c1239ed9b31868201c27f4266d"),
    Package("wesnoth-1.16-low", VERSION, 9028468, "2f304551b97b7fb76a2adb5ad8ffcac3e78476bc8ade17532c90714065c9bf9f"),
    Package("wesnoth-1.16-nr", VERSION, 8076092, "13edcf1bdd23708f531ba81c67100c5800363a119f10155c7f9e146fe7dced34"),
    Package("wesnoth-1.16-sof", VERSION, 7010984, "b6f1ddffdbd1a977f3965dae944e4fb11c147627471f1cfc71c92d1e69efb555"),
    Package("wesnoth-1.16-sota", VERSION, 6678916, "fa44304ff53d259f3c5fe13c03cb8166e55e9c307807d1a5663048c396645ba6"),
    Package("wesnoth-1.16-sotbe", VERSION, 6720832, "877a2f4a7fd8df54fd3b4561ffbd5fa95d0390d7c7372f3cb66367c8007918cb"),
    Package("wesnoth-1.16-thot", VERSION, 6528032, "79d9ec6e43300ea9f41295ccf3fb451e8eeaefc17007123f65d77eb05cb88695"),
    Package("wesnoth-1.16-trow", VERSION, 19632884, "b5009e964ac7157a46d50de911e4f56f5bb4389d60b82a513b5f382671d180d7"),
    Package("wesnoth-1.16-tsg", VERSION, 8089868, "38b5f564253b8e0d9c093b2b7c58aabfef24f688968d9cbaf42abfc1e76d8288"),
    Package("wesnoth-1.16-ttb", VERSION, 5972592, "d0d45693665305191488553ade8dc1d0aa26ab17d4bffae3bf6969db4a766329"),
    Package("wesnoth-1.16-utbs", VERSION, 13202708, "81e05717bebbfb6348c0bed2cd6ce2560c4fd9205ed419c2e7bc039b4a70e228"),
)
ROOT = "usr/share/games/wesnoth/1.16"
LANGUAGES = {"de": "de", "fr": "fr", "es": "es", "zh": "zh_CN"}
"""Languages of the translations (ISO 639-1), and their names in the game."""


def wanted(path: str) -> bool:
    """Scenarios, units, portraits, the translations of `LANGUAGES`, and the licence."""
    if path.endswith("/copyright"):
        return True
    if not path.startswith(f"{ROOT}/"):
        return False
    inner = path.removeprefix(f"{ROOT}/")
    if inner.startswith("locale/"):
        return inner.split("/")[1] in LANGUAGES.values()
    return inner.endswith(".cfg") or ("/portraits/" in inner and inner.endswith(".png"))

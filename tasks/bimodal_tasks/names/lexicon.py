"""Names, chosen by hand. Written out and not drawn from a package, so that no release of one can move a score."""

from __future__ import annotations

from collections.abc import Mapping

PER, LOC, ORG, MISC = "PER", "LOC", "ORG", "MISC"
TYPES = (PER, LOC, ORG, MISC)
"""Persons, places, organisations, and named animals."""

AMBIGUOUS: Mapping[tuple[str, str], str] = {
    # First names and surnames that are countries, states or cities.
    (PER, LOC): (
        "Jordan Georgia Chad Paris Israel Kenya Austin Dallas Houston Madison Jackson Lincoln Washington Charlotte "
        "Sydney Adelaide Victoria Florence Savannah Brooklyn Carolina Virginia Dakota Orlando Santiago Alexandria "
        "Hamilton Regina Preston Lourdes"
    ),
    # People and the firms that carry their names.
    (PER, ORG): (
        "Ford Disney Chanel Dior Ferrari Porsche Siemens Bosch Dell Heinz Kellogg Philips Armani Versace Prada Morgan "
        "Chase Hilton Michelin Renault Bentley Honda Suzuki Yamaha"
    ),
    # First names that dogs, cats and horses have, too.
    (PER, MISC): (
        "Max Bella Charlie Rocky Buddy Daisy Luna Felix Rex Milo Ruby Oscar Leo Toby Jasper Ginger Bruno Coco Lola "
        "Simba"
    ),
    # Places and the firms or clubs named after them.
    (LOC, ORG): (
        "Amazon Nokia Santander Corning Hershey Everest Denali Liverpool Barcelona Chelsea Arsenal Toyota Evian Vichy "
        "Dortmund Porto Bergamo Patagonia Columbia Aston"
    ),
    # Places that are animals, or that animals are called after.
    (LOC, MISC): "Turkey Phoenix Buffalo Angora Cheshire Labrador Newfoundland Holstein Jersey Shetland",
    # Firms and clubs that are animals.
    (
        ORG,
        MISC,
    ): "Jaguar Puma Mustang Greyhound Lynx Falcon Panther Dolphin Caterpillar Dove Tiger Peregrine Penguin Swan",
}
"""Two types a name can have, and the names that have both."""

_FIRST = (
    "Sandra Peter Maria Thomas Anna Michael Laura Stefan Julia Robert Emma David Clara Martin Helen Simon Nora "
    "Daniel Ingrid Walter Priya Kenji Fatima Olga Pedro Amara Yusuf Linh Mateo Zofia"
)
_LAST = (
    "Miller Schmidt Rossi Novak Kowalski Larsen Jensen Dubois Moreau Garcia Lopez Tanaka Suzumiya Patel Sharma "
    "Nguyen Okafor Mensah Ivanova Petrov Haddad Yilmaz Cohen Murphy Walsh Evans Hughes Baker Cooper Fischer"
)
_PLACES = (
    "Norway|Vienna|Lisbon|New Zealand|Bolivia|Helsinki|Nairobi|Mongolia|Costa Rica|Oslo|Peru|Warsaw|Sri Lanka|"
    "Hanoi|Iceland|Marseille|San Marino|Botswana|Krakow|Nepal|Addis Ababa|Estonia|Bogota|South Korea|Prague|"
    "Uruguay|Tunis|Rotterdam|Buenos Aires|Latvia"
)
_FIRMS = (
    "Nordbank|Acme Steel|Telvox|Green Valley Foods|Orbitel|Hansen Shipping|Lumina|Pacific Mutual|Vectrix|"
    "Old Mill Press|Agrosan|Delta Freight|Brightwater|Kestrel Mining|Omnidata|Red Lantern Films|Solvanta|"
    "Union Tramways|Quillon|Harbour Glass|Zentrafarm|First Cotton|Pentolux|Stonebridge Insurance|Mirador|"
    "Blue Anchor|Ferrolan|Copperfield Motors|Isomar|Westgate Dairies"
)
_ANIMALS = (
    "Snowball|Whiskers|Patches|Little Thunder|Biscuit|Mittens|Shadowfax|Old Blue|Pepperpot|Fluffy|Silver Arrow|"
    "Bandit|Socks|Captain Paws|Nibbles|Tumbleweed|Black Beauty|Smudge|Noodle|Stormy|Prince Hal|Pickles|Waffles|"
    "Lady Grey|Scamp|Dusty|Bramble|Sir Barks|Pebbles|Misty"
)
PLAIN: Mapping[str, tuple[str, ...]] = {
    PER: (*map(" ".join, zip(_FIRST.split(), _LAST.split(), strict=True)), *_LAST.split()),
    LOC: tuple(_PLACES.split("|")),
    ORG: tuple(_FIRMS.split("|")),
    MISC: tuple(_ANIMALS.split("|")),
}
"""Names that have one type, by type."""


def ambiguous_names() -> dict[str, tuple[str, str]]:
    """Every ambiguous name with its two types."""
    return {name: types for types, names in AMBIGUOUS.items() for name in names.split()}

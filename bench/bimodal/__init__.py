"""bimodal: is it worth giving a text model eyes and ears?"""

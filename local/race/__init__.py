"""The demo race: photos drawn by our own code, so that anybody can run the whole product on pictures.

    draw_race(folder)            writes photos, selfies, race.json, roster.csv and truth.json
    python -m local.race FOLDER  the same from a shell

canvas → face → figure → photo draw; scenery paints what is behind; cast and plan say who and when; files writes.
"""

from local.race.files import draw_race

__all__ = ["draw_race"]

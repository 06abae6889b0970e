"""The words that the local engine's ears listen for and its mind knows. Pure.

Spelled as the recogniser's dictionary spells them (American, lower case, no digits), so that a
grammar made of them loads; `meaning.normalized` brings typed text to the same spelling.
"""

from __future__ import annotations

HEROES = (
    *("bear", "cat", "dog", "dragon", "fox", "frog", "hare", "hedgehog", "horse", "king"),
    *("knight", "mouse", "owl", "pirate", "princess", "queen", "rabbit", "robot", "sailor"),
    *("wizard", "wolf", "witch"),
)
"""Whom a story may be about; one who is not here may still be asked for by name."""

THINGS = ("bell", "book", "clock", "key", "kite", "lamp", "lantern", "map", "mirror", "ring")
"""What is lost in a story."""

PLACES = (
    *("castle", "desert", "forest", "garden", "harbor", "island", "lighthouse", "mill"),
    *("mountain", "river", "tower", "village"),
)

COLORS = ("black", "blue", "brown", "green", "orange", "pink", "purple", "red", "white", "yellow")

KINDS = ("animal", "book", "city", "color", "drink", "food", "game", "number", "season", "story")
"""Of what one may have a favorite."""

LIKED = (
    *("apples", "bread", "cake", "cheese", "chess", "chocolate", "coffee", "football", "milk"),
    *("music", "pizza", "rain", "snow", "soup", "spring", "summer", "autumn", "tea", "winter"),
)
"""What people say that they like, beside colors, cities, heroes and numbers."""

NAMES = (
    *("adam", "alice", "anna", "ben", "carlos", "clara", "daniel", "david", "emily"),
    *("frank", "george", "helen", "jack", "james", "jane", "john", "julia", "kate"),
    *("laura", "leo", "lucy", "maria", "mary", "max", "michael", "nina", "oliver", "oscar"),
    *("paul", "peter", "robert", "rosa", "sam", "sarah", "simon", "sophie", "thomas", "tom"),
)

CITIES = (
    *("amsterdam", "athens", "barcelona", "berlin", "boston", "chicago", "dublin", "hamburg"),
    *("lisbon", "london", "madrid", "milan", "moscow", "munich", "new york", "oslo", "paris"),
    *("prague", "rome", "san francisco", "seattle", "stockholm", "sydney", "tokyo", "vienna"),
    *("warsaw", "zurich"),
)

NUMBERS = (
    *("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve"),
)

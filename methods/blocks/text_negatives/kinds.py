"""What the words that describe people are about, and which of them may both be true of one thing.

The kinds are those of pedestrian attributes: Deng, Luo, Loy and Tang, "Pedestrian attribute
recognition at far distance" (PETA), ACM MM 2014, has sex, age, hair, accessories, upper and lower
body, footwear and what is carried, with patterns, sleeves and colours. The colours are the eleven
basic ones of Berlin and Kay, "Basic Color Terms", 1969, each with the names of its shades. The
words are those that people write of pedestrians, as in CUHK-PEDES.

Each text below is one meaning: the words that can be said of one and the same thing. A word that
stands in several is vague ("pants" are jeans or leggings, "navy" is a blue and dark), so two words
that share a meaning may both be true, and neither contradicts the other. Words joined by an
underscore are one name; a plural's s is left out. What says nothing definite (patterned, colourful,
casual) is left out on purpose.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

Meanings = tuple[str, ...]

# Where on a person -> what exactly -> its meanings. What shares the second is in the place of each
# other: a person wears one thing on the feet.
THINGS: Mapping[str, Mapping[str, Meanings]] = {
    "person": {
        "adult": (
            "man men male guy gentleman gentlemen fellow grandfather",
            "woman women female lady ladies gal grandmother",
        ),
        "child": ("boy lad schoolboy child kid toddler", "girl schoolgirl child kid toddler"),
    },
    "worn": {
        "upper": (
            "t-shirt tshirt tee shirt polo polo_shirt jersey top short-sleeved_top",
            "shirt button-up button-down collared_shirt dress_shirt blouse tunic top",
            "tank_top sleeveless_top singlet camisole vest top",
            "sweater jumper pullover sweatshirt jersey cardigan top",
            "hoodie hooded_sweatshirt sweatshirt hooded_jacket jacket sweater top",
            "jacket cardigan top",
            "jacket windbreaker zip-up anorak bomber coat top",
            "coat overcoat topcoat parka trench_coat raincoat peacoat jacket top",
            "blazer suit_jacket sport_coat sports_coat jacket coat suit tuxedo top",
            "vest waistcoat gilet body_warmer top",
            "dress frock gown sundress one-piece_dress",
            "overalls dungarees jumpsuit romper",
            "robe thobe abaya gown kimono",
        ),
        "lower": (
            "jean denim trouser pant slack",
            "trouser pant slack chino khaki cargo_pant dress_pant",
            "sweatpant jogger track_pant jogging_pant sweat pant trouser",
            "legging tight yoga_pant stocking pant",
            "capri pant",
            "short capri short_pant trunk cargo_short",
            "skirt miniskirt",
        ),
        "feet": (
            "sneaker trainer runner running_shoe tennis_shoe athletic_shoe shoe footwear",
            "boot ankle_boot shoe footwear",
            "sandal slipper flip-flop flip_flop flop shoe footwear",
            "heel high_heel pump stiletto shoe footwear",
            "loafer oxford dress_shoe leather_shoe formal_shoe flat shoe footwear",
        ),
        "head": (
            "cap baseball_cap peaked_cap ball_cap visor hat headwear",
            "beanie woolly_hat bobble_hat knit_hat knitted_hat winter_hat hat headwear",
            "sun_hat straw_hat wide-brimmed_hat broad-brimmed_hat fedora hat headwear",
            "helmet headwear",
            "headscarf hijab turban bandana headwear",
            "hood headwear",
        ),
        "neck": ("scarf neck_scarf scarves shawl muffler", "tie necktie bow_tie", "necklace"),
        "eyes": (
            "glasses spectacle eyeglasses eyewear",
            "glasses sunglasses shade dark_glasses goggle eyewear",
        ),
        "hands": ("glove mitten", "watch wristwatch", "bracelet bangle"),
        "socks": ("sock",),
        "waist": ("belt",),
    },
    "carried": {
        "bag": (
            "backpack rucksack knapsack book_bag schoolbag bag",
            "handbag purse clutch shoulder_bag tote bag",
            "shoulder_bag messenger_bag satchel briefcase purse tote bag",
            "suitcase luggage trolley_case wheeled_luggage travel_bag bag",
            "shopping_bag carrier_bag plastic_bag paper_bag grocery_bag tote sack bag",
        ),
        "held": (
            "umbrella brolly parasol folded_umbrella",
            "phone cellphone smartphone mobile cell_phone mobile_phone",
            "bottle flask water_bottle",
            "book notebook paperback",
            "cup mug coffee_cup takeaway_cup coffee",
            "camera",
            "laptop tablet",
            "newspaper paper",
            "cane stick",
            "ball",
        ),
    },
    "wheeled": {
        "wheels": ("bicycle bike", "stroller pram buggy", "scooter", "wheelchair", "trolley cart"),
    },
    "hair": {
        "hair": (
            "ponytail pony_tail hair",
            "bun top_knot topknot knot hair",
            "braid plait pigtail hair",
        ),
        "beard": ("beard goatee mustache moustache",),
        "fringe": ("bang fringe",),
    },
    "marks": {
        "shapes": ("stripe", "check", "dot spot", "flower"),
        "print": ("logo print emblem graphic lettering writing picture",),
    },
}


class Quality(NamedTuple):
    """A kind of quality: of which of `THINGS` it is said, and its meanings."""

    of: tuple[str, ...]
    meanings: Meanings


_CLOTHS = ("worn", "carried", "wheeled")
QUALITIES: Mapping[str, Quality] = {
    "colour": Quality(
        (*_CLOTHS, "marks"),
        (
            "black ebony charcoal",
            "white ivory cream off-white snow-white",
            "gray ash silver charcoal",
            "white silver",
            "red scarlet crimson ruby",
            "red maroon burgundy wine crimson wine-red",
            "maroon burgundy brown",
            "pink rose fuchsia magenta salmon coral peach",
            "purple violet lavender lilac plum magenta maroon fuchsia",
            "orange tangerine peach coral rust",
            "yellow lemon gold golden mustard",
            "green emerald lime mint olive khaki",
            "turquoise teal cyan aqua green mint",
            "turquoise teal cyan aqua blue",
            "blue navy cobalt azure royal indigo",
            "brown chocolate chestnut tan khaki bronze rust",
            "beige cream tan khaki camel nude ivory",
        ),
    ),
    "hair colour": Quality(
        ("hair",),
        (
            "black raven",
            "brown brunette chestnut",
            "red ginger auburn chestnut copper orange",
            "blond golden gold fair yellow",
            "gray silver",
            "white silver snow-white",
            "pink purple",
            "blue green",
        ),
    ),
    "shade": Quality((*_CLOTHS, "hair", "marks"), ("dark deep", "light pale", "bright vivid neon")),
    "pattern": Quality(
        _CLOTHS,
        (
            "striped stripy stripey banded pinstriped",
            "checked checkered chequered plaid tartan",
            "dotted spotted polka-dot",
            "floral flowered flowery",
            "camouflage camo",
            "plain solid unpatterned",
            "two-tone two-toned colour-block two-coloured",
        ),
    ),
    "length": Quality(
        ("worn", "hair"),
        (
            "long full-length ankle-length waist-length maxi flowing",
            "short close-cropped cropped short-cut mini",
            "medium-length shoulder-length chin-length bobbed mid-length",
            "mid-length knee-length",
            "short knee-length",
        ),
    ),
    "sleeves": Quality(
        ("worn",), ("sleeveless", "short-sleeved short-sleeve", "long-sleeved long-sleeve")
    ),
    "fit": Quality(("worn",), ("tight fitted skinny slim snug", "loose baggy oversized")),
    "cloth": Quality(("worn", "carried"), ("leather", "denim", "wool woolen woollen", "fur furry")),
    "curl": Quality(("hair",), ("curly wavy frizzy bushy", "straight sleek")),
    "age": Quality(
        ("person",), ("young youthful teenage little", "middle-aged", "old elderly senior older")
    ),
    "stature": Quality(("person",), ("tall lanky", "short petite")),
    "build": Quality(
        ("person",),
        ("slim thin slender skinny lean", "fat chubby plump stout heavy heavyset overweight"),
    ),
}

# Colours with lighter and darker kinds: there is no light navy, and no dark white.
SHADED = frozenset({
    "red", "blue", "green", "gray", "brown", "pink", "purple", "orange", "yellow",
})  # fmt: skip


class Action(NamedTuple):
    """A kind of action: on which of `THINGS` ("" is the person alone), and its meanings."""

    on: tuple[str, ...]
    meanings: Meanings


ACTIONS: Mapping[str, Action] = {
    "posture": Action(
        ("",),
        (
            "walking walks strolling strolls striding strides moving moves passing passes",
            "running runs jogging jogs moving moves passing passes",
            "riding rides cycling cycles moving moves passing passes",
            "standing stands waiting waits posing poses",
            "sitting sits waiting waits",
            "crouching crouches squatting squats kneeling kneels",
        ),
    ),
    "wearing": Action(
        ("worn",),
        (
            "wearing wears sporting sports donning dons",
            "carrying carries holding holds clutching clutches clasping clasps",
        ),
    ),
    "handling": Action(
        ("carried", "wheeled"),
        (
            "carrying carries holding holds clutching clutches clasping clasps "
            "pulling pulls dragging drags wheeling wheels",  # "carrying a suitcase"
            "pushing pushes wheeling wheels",
        ),
    ),
}

# Words that say which colour the next word is: sky blue, jet black.
SHADES_OF = frozenset({"sky", "royal", "army", "jet", "baby", "forest", "hot", "snow", "steel"})

# Nouns that are not counted: they have no article and no plural.
UNCOUNTED = frozenset({"hair", "footwear", "eyewear", "headwear", "luggage", "denim", "coffee"})
PLURALS = frozenset({"men", "women", "people", "children", "feet", "teeth"})

# Spellings of one word.
SPELLINGS = (("grey", "gray"), ("colour", "color"), ("blonde", "blond"))

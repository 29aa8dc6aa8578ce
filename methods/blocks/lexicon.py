"""Parts of speech of the words that describe people, as Penn treebank tags, and a tagger by them.

Nouns are the default, plural where they end in s: only those are listed that their ending would
make something else. What else a word can be than its usual part of speech, the rules say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

REMEMBERED_WORDS = 65_536

# The usual part of speech of a word.
WORDS: Mapping[str, str] = {
    "DT": "a an the this these those every each some any another no neither either both all",
    "PDT": "such",
    "CC": "and or but nor & plus yet",
    "TO": "to",
    "PRP": """
        he she it they him them i we you me us himself herself itself themselves hers theirs
    """,
    "PRP$": "his her its their my our your",
    "WP": "who whom what",
    "WP$": "whose",
    "WDT": "which",
    "WRB": "when where why how",
    "MD": "can could may might must shall should will would ca wo 'll 'd",
    "POS": "'s",
    "IN": """
        in on of with without at by from over under above below beneath behind beside besides
        between among amid across along around about against through throughout into onto upon
        inside outside underneath towards toward near past during until till since while whilst
        because although though if as than like unlike after before within via except that whether
        atop alongside beyond despite opposite w/ w/o for so per
    """,
    "CD": """
        one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
        sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety
        hundred
    """,
    "RP": "up off",
    "RB": """
        not n't also very too just only quite rather really almost nearly even still
        already always never often here there now then away down out forward forwards backward
        backwards upward upwards downward downwards sideways leftward rightward ahead together
        apart alone again else instead well maybe perhaps halfway overall however therefore
        otherwise somewhere somewhat indoors outdoors ago
    """,
    "VBZ": """
        is has does wears carries walks holds looks appears seems stands sits faces pushes pulls
        drags rides runs goes talks speaks uses puts keeps leans bends reaches hangs covers falls
        comes shows matches moves passes strides strolls steps turns points waits smiles reads
        drinks eats smokes checks sports dons clutches clasps grips lifts wheels rolls makes gets
        takes gives says extends flows sticks features includes consists contains ends stops
        crosses waves texts plays swings jogs skips hurries heads rests lies squats crouches kneels
        stoops leads follows accompanies approaches enters leaves exits poses gazes glances stares
        peers balances listens calls touches tucks ties wraps opens closes fits complements
        accentuates resembles suggests lacks sees
    """,
    "VBP": "are have do appear seem 're 've am 'm",
    "VBD": """
        was were had did wore carried walked stood sat went took ran came became began kept rode
        threw hung held
    """,
    "VBN": "been worn seen done gone made shown drawn torn slung taken given written known put cut",
    "VB": "be become wear carry see say",
    "JJ": """
        black white gray grey red maroon crimson scarlet burgundy pink orange yellow green
        turquoise teal cyan blue navy purple violet lavender brown beige tan khaki olive golden
        silver gold blond blonde brunette auburn ginger fair ivory mustard charcoal indigo magenta
        fuchsia peach coral aqua lime mint nude emerald cream lilac bronze rust taupe chestnut raven
        dark light pale bright deep vivid pastel neon dull faded muted
        solid clear transparent sheer opaque shiny matte glossy reflective colorful colourful
        multicolored multicoloured coloured colored bluish reddish greenish grayish greyish
        brownish yellowish pinkish purplish whitish blackish black-and-white red-and-white
        striped stripy stripey checked checkered chequered plaid dotted spotted floral patterned
        unpatterned printed graphic geometric tartan paisley polka-dot camo tie-dye two-tone
        abstract embroidered flowery flowered pinstriped tropical banded
        short long medium tall small large big little tiny huge oversized wide narrow thin thick
        slim skinny slender lean fat chubby plump stout stocky heavy heavyset petite muscular
        athletic fit strong overweight average thickset burly sturdy lanky frail hunched
        tight loose baggy snug fitted flared cropped ripped distressed pleated ruffled quilted
        padded puffy fluffy fuzzy furry woolly woolen woollen knitted chunky hooded collared
        sleeved high-waisted v-necked low-cut wide-leg round-neck
        pointy pointed round square rectangular oval curved straight curly wavy frizzy bushy spiky
        messy tousled sleek silky smooth rough soft hard stiff stretchy elastic waterproof warm
        cool cold hot cozy casual formal smart sporty trendy fancy classic vintage retro
        plain simple basic ordinary common typical normal modern bulky slouchy preppy dressy
        bald shaven bearded balding receding young old elderly middle-aged teenage adult senior
        junior pregnant male female asian african caucasian american european indian chinese
        japanese korean medium-length close-cropped clean-shaven
        left right rear main other same different similar various several many few much more
        multiple single double triple whole entire full empty open closed first second third last
        next own upper inner outer central
        new clean dirty fresh neat tidy wrinkled crisp wet dry busy happy sad ready sure able
        unable available actual certain extra unclear upright bare naked topless barefoot pretty
        nice good lovely cute visual electric digital cellular metallic wooden gold-rimmed
        high low mid broad public military tactical thermal ethnic peaked wheeled woven tucked-in
    """,
    "JJR": """
        shorter longer taller darker lighter larger smaller bigger younger older wider lower less
    """,
    "JJS": "most least",
    "NNP": "nike adidas puma reebok",
    "NN": """
        dress glass bus class canvas compass mattress business waitress actress harness fitness
        address process access lens ring earring string clothing building sling stocking
        legging morning evening wing railing piercing lettering bling thing something nothing
        anything everything wedding bedding lining swing spring king shopping
        bed seed weed shed tweed speed belly jersey body lady fly family bias iris tennis
        chess pelvis thermos campus torso moss sundress headdress hourglass eyeglass
    """,
    "NNS": "people men women children feet teeth",
}  # fmt: skip

# What a word that is not listed is by its form: the first that fits.
ENDINGS: tuple[tuple[str, str], ...] = (
    (r"[.!?]$", "."),
    (r",$", ","),
    (r"(?:[:;\u2013\u2014\u2026]|-+|\.{2,})$", ":"),
    (r"[(\[{]$", "("),
    (r"[)\]}]$", ")"),
    (r"``$", "``"),
    (r"(?:''|['\u201d])$", "''"),
    (r"[$#]$", "$"),
    (r"[-+]?\d[\d.,:/-]*$", "CD"),
    (r".+-(?:\w+ed|\w+ing|length|sleeve|style|like|high|up|down|on|piece|cut)$", "JJ"),
    (r".+-(?:black|white|gray|grey|red|blue|green|yellow|orange|pink|purple|brown)$", "JJ"),
    (r"(?:dark|light|pale|deep|bright|wide|long|short|high|low)-.+[^s]$", "JJ"),
    (r"(?:mid|full|half|three|multi)-.+[^s]$", "JJ"),
    (r".+(?:less|ful|ish|ous|able|ible|ive)$", "JJ"),
    (r".+ly$", "RB"),
    (r".+ing$", "VBG"),
    (r".+ed$", "VBN"),
    (r".+[^s]s$", "NNS"),
    (r"", "NN"),
)

# "A B conditions": A becomes B where all conditions hold. "-1:DT|JJ" asks for the tag of the word
# before, "0=left|right" for the word itself. Each applies to what those above it have left.
RULES: tuple[str, ...] = (
    "RB EX 0=there 1:VBZ|VBP|VBD|MD|POS",
    "NN VBP -1=they|we|you|i",
    "NN VBP 0=come|reach|fall|hang|match|go|look|end|stop|cover|extend|show -1=that|which|who",
    "IN WDT 0=that -1:NN|NNS 1:VBZ|VBP|VBD|MD|POS",
    "IN DT 0=that 1:NN|JJ",
    "POS VBZ 0='s -1:PRP|EX|WP|WDT|RB",
    "NNS VBZ -1:PRP|WP|WDT",  # who hugs
    "NNS VBZ -1:NN 1:DT|PRP$",  # the man hugs a child
    "VBZ NNS -1:DT|JJ|CD|PRP$",  # grey checks
    "NNS VBZ 0=is|has|does|seems|appears|wears|carries",
    "VBZ NNS 0=checks|sports -1:IN",
    "NN VB -1:MD",
    "NN VB -1:TO 0=look|tie|walk|hold|cross|catch|talk|read|check|get|reach|match|keep|make|take",
    "NN RB 0=back -1:VBN|VBG|VBZ|PRP",
    "VBN JJ -1:DT|JJ|PRP$|CD|VBG|VBZ|CC|, 1:NN|NNS",  # a quilted coat
    "VBN JJ -1:DT|PRP$ 1:JJ",
    "VBN NN 0=cut -1:DT|NN|JJ",
    "VBG JJ 0=matching|fitting|flowing -1:DT|JJ|IN|CC|,",
    "VBG NN 0=crossing|drawing|parking -1:DT",
    "VBG NN -1:DT|JJ|CC|VBG|, 1:NN|NNS 0=running|walking|hiking|dancing|cycling|training|working",
    "JJ NN -1:DT|PRP$|TO 0=left|right|rear|open|light|dark 1:.|,|IN|CC|VBZ",
    "JJ NN -1:DT 0=male|female|adult|senior|elderly 1:.|,|IN|CC|VBZ|WP|VBG",
    "RB RP 0=down|out -1:VBG|VBZ|VBN|VBP|VB",
    "IN RB 0=along|around|past|behind|underneath 1:.|,|VBZ|CC",
)  # fmt: skip


@dataclass(frozen=True)
class Rule:
    """What a part of speech becomes in a context."""

    usual: str
    becomes: str
    conditions: tuple[tuple[int, int, frozenset[str]], ...]  # offset; 0 word or 1 tag; allowed

    def fits(self, tagged: Sequence[tuple[str, str]], index: int) -> bool:
        """Whether all conditions hold around a word; none does beyond a caption's ends."""
        return all(
            0 <= index + offset < len(tagged) and tagged[index + offset][field] in allowed
            for offset, field, allowed in self.conditions
        )

    def apply(self, tagged: list[tuple[str, str]]) -> None:
        """Change the tags of a caption where the rule fits, all at once."""
        usual = [index for index, (_, tag) in enumerate(tagged) if tag == self.usual]
        for index in [index for index in usual if self.fits(tagged, index)]:
            tagged[index] = (tagged[index][0], self.becomes)


class LexiconTagger:
    """The usual part of speech of each word, its ending's where it is not listed; then the rules.

    Brill, "A simple rule-based part of speech tagger", ANLP 1992. https://aclanthology.org/A92-1021
    """

    def __init__(self) -> None:
        from nltk.tag import RegexpTagger, UnigramTagger

        usual = {word: tag for tag, words in WORDS.items() for word in words.split()}
        words = UnigramTagger(model=usual, backoff=RegexpTagger(list(ENDINGS)))
        self._rules = [_parsed(line) for line in RULES]
        self._usual = lru_cache(REMEMBERED_WORDS)(lambda word: words.tag([word])[0])

    def tag(self, tokens: list[str]) -> list[tuple[str, str]]:
        """L tokens -> L pairs of token and tag; case does not matter."""
        tagged = [self._usual(token.lower()) for token in tokens]
        for rule in self._rules:
            rule.apply(tagged)
        return [(token, tag) for token, (_, tag) in zip(tokens, tagged, strict=True)]


def _parsed(line: str) -> Rule:
    """Read a line of `RULES`."""
    usual, becomes, *texts = line.split()
    conditions = []
    for text in texts:
        match = re.fullmatch(r"(-?\d)([:=])(.+)", text)
        assert match, f"no condition of a rule: {text}"
        offset, kind, allowed = match.groups()
        conditions.append((int(offset), "=:".index(kind), frozenset(allowed.split("|"))))
    return Rule(usual, becomes, tuple(conditions))

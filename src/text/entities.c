#include "text/entities.h"

#include <stdlib.h>
#include <string.h>

#include "text/scan.h"
#include "text/utf8.h"

/* The character references of HTML 5 (the standard's chapter 13.5) that stand for a letter, a sign
 * with a name or a space. Sorted by name. */
static const struct entity {
    const char *name;
    uint32_t cp;
} entities[] = {
    /* clang-format off */
    {"AElig", 0xC6}, {"AMP", 0x26}, {"Aacute", 0xC1}, {"Abreve", 0x102}, {"Acirc", 0xC2},
    {"Agrave", 0xC0}, {"Alpha", 0x391}, {"Amacr", 0x100}, {"Aogon", 0x104},
    {"ApplyFunction", 0x2061}, {"Aring", 0xC5}, {"Atilde", 0xC3}, {"Auml", 0xC4}, {"Beta", 0x392},
    {"COPY", 0xA9}, {"Cacute", 0x106}, {"Ccaron", 0x10C}, {"Ccedil", 0xC7}, {"Ccirc", 0x108},
    {"Cdot", 0x10A}, {"CenterDot", 0xB7}, {"Chi", 0x3A7}, {"CloseCurlyDoubleQuote", 0x201D},
    {"CloseCurlyQuote", 0x2019}, {"Congruent", 0x2261}, {"Dcaron", 0x10E}, {"Del", 0x2207},
    {"Delta", 0x394}, {"DiacriticalAcute", 0xB4}, {"DiacriticalGrave", 0x60}, {"Dot", 0xA8},
    {"DoubleDot", 0xA8}, {"DoubleRightArrow", 0x21D2}, {"Dstrok", 0x110}, {"ENG", 0x14A},
    {"ETH", 0xD0}, {"Eacute", 0xC9}, {"Ecaron", 0x11A}, {"Ecirc", 0xCA}, {"Edot", 0x116},
    {"Egrave", 0xC8}, {"Element", 0x2208}, {"Emacr", 0x112}, {"Eogon", 0x118}, {"Epsilon", 0x395},
    {"Eta", 0x397}, {"Euml", 0xCB}, {"Exists", 0x2203}, {"ForAll", 0x2200}, {"GT", 0x3E},
    {"Gamma", 0x393}, {"Gammad", 0x3DC}, {"Gbreve", 0x11E}, {"Gcedil", 0x122}, {"Gcirc", 0x11C},
    {"Gdot", 0x120}, {"GreaterEqual", 0x2265}, {"Hat", 0x5E}, {"Hcirc", 0x124}, {"Hstrok", 0x126},
    {"IJlig", 0x132}, {"Iacute", 0xCD}, {"Icirc", 0xCE}, {"Idot", 0x130}, {"Igrave", 0xCC},
    {"Imacr", 0x12A}, {"Implies", 0x21D2}, {"Integral", 0x222B}, {"InvisibleComma", 0x2063},
    {"InvisibleTimes", 0x2062}, {"Iogon", 0x12E}, {"Iota", 0x399}, {"Itilde", 0x128},
    {"Iuml", 0xCF}, {"Jcirc", 0x134}, {"Kappa", 0x39A}, {"Kcedil", 0x136}, {"LT", 0x3C},
    {"Lacute", 0x139}, {"Lambda", 0x39B}, {"Lcaron", 0x13D}, {"Lcedil", 0x13B}, {"Lmidot", 0x13F},
    {"Lstrok", 0x141}, {"MediumSpace", 0x205F}, {"Mu", 0x39C}, {"Nacute", 0x143}, {"Ncaron", 0x147},
    {"Ncedil", 0x145}, {"NegativeMediumSpace", 0x200B}, {"NegativeThickSpace", 0x200B},
    {"NegativeThinSpace", 0x200B}, {"NegativeVeryThinSpace", 0x200B}, {"NoBreak", 0x2060},
    {"NonBreakingSpace", 0xA0}, {"NotElement", 0x2209}, {"NotEqual", 0x2260}, {"Ntilde", 0xD1},
    {"Nu", 0x39D}, {"OElig", 0x152}, {"Oacute", 0xD3}, {"Ocirc", 0xD4}, {"Odblac", 0x150},
    {"Ograve", 0xD2}, {"Omacr", 0x14C}, {"Omega", 0x3A9}, {"Omicron", 0x39F},
    {"OpenCurlyDoubleQuote", 0x201C}, {"OpenCurlyQuote", 0x2018}, {"Oslash", 0xD8},
    {"Otilde", 0xD5}, {"Ouml", 0xD6}, {"PartialD", 0x2202}, {"Phi", 0x3A6}, {"Pi", 0x3A0},
    {"PlusMinus", 0xB1}, {"Prime", 0x2033}, {"Proportional", 0x221D}, {"Psi", 0x3A8},
    {"QUOT", 0x22}, {"REG", 0xAE}, {"Racute", 0x154}, {"Rcaron", 0x158}, {"Rcedil", 0x156},
    {"Rho", 0x3A1}, {"RightArrow", 0x2192}, {"Rightarrow", 0x21D2}, {"Sacute", 0x15A},
    {"Scaron", 0x160}, {"Scedil", 0x15E}, {"Scirc", 0x15C}, {"ShortRightArrow", 0x2192},
    {"Sigma", 0x3A3}, {"Sqrt", 0x221A}, {"Sum", 0x2211}, {"THORN", 0xDE}, {"TRADE", 0x2122},
    {"Tau", 0x3A4}, {"Tcaron", 0x164}, {"Tcedil", 0x162}, {"Theta", 0x398}, {"ThinSpace", 0x2009},
    {"TildeTilde", 0x2248}, {"Tstrok", 0x166}, {"Uacute", 0xDA}, {"Ubreve", 0x16C}, {"Ucirc", 0xDB},
    {"Udblac", 0x170}, {"Ugrave", 0xD9}, {"Umacr", 0x16A}, {"UnderBar", 0x5F}, {"Uogon", 0x172},
    {"Upsi", 0x3D2}, {"Upsilon", 0x3A5}, {"Uring", 0x16E}, {"Utilde", 0x168}, {"Uuml", 0xDC},
    {"VerticalLine", 0x7C}, {"VeryThinSpace", 0x200A}, {"Wcirc", 0x174}, {"Xi", 0x39E},
    {"Yacute", 0xDD}, {"Ycirc", 0x176}, {"Yuml", 0x178}, {"Zacute", 0x179}, {"Zcaron", 0x17D},
    {"Zdot", 0x17B}, {"ZeroWidthSpace", 0x200B}, {"Zeta", 0x396}, {"aacute", 0xE1},
    {"abreve", 0x103}, {"acirc", 0xE2}, {"acute", 0xB4}, {"aelig", 0xE6}, {"af", 0x2061},
    {"agrave", 0xE0}, {"alpha", 0x3B1}, {"amacr", 0x101}, {"amp", 0x26}, {"and", 0x2227},
    {"angst", 0xC5}, {"aogon", 0x105}, {"ap", 0x2248}, {"apos", 0x27}, {"approx", 0x2248},
    {"aring", 0xE5}, {"ast", 0x2A}, {"asymp", 0x2248}, {"atilde", 0xE3}, {"auml", 0xE4},
    {"bdquo", 0x201E}, {"beta", 0x3B2}, {"bsol", 0x5C}, {"bull", 0x2022}, {"bullet", 0x2022},
    {"cacute", 0x107}, {"cap", 0x2229}, {"ccaron", 0x10D}, {"ccedil", 0xE7}, {"ccirc", 0x109},
    {"cdot", 0x10B}, {"cent", 0xA2}, {"centerdot", 0xB7}, {"chi", 0x3C7}, {"circledR", 0xAE},
    {"colon", 0x3A}, {"comma", 0x2C}, {"commat", 0x40}, {"copy", 0xA9}, {"cup", 0x222A},
    {"dash", 0x2010}, {"dcaron", 0x10F}, {"deg", 0xB0}, {"delta", 0x3B4}, {"die", 0xA8},
    {"digamma", 0x3DD}, {"div", 0xF7}, {"divide", 0xF7}, {"dollar", 0x24}, {"dstrok", 0x111},
    {"eacute", 0xE9}, {"ecaron", 0x11B}, {"ecirc", 0xEA}, {"edot", 0x117}, {"egrave", 0xE8},
    {"emacr", 0x113}, {"empty", 0x2205}, {"emptyset", 0x2205}, {"emptyv", 0x2205}, {"emsp", 0x2003},
    {"emsp13", 0x2004}, {"emsp14", 0x2005}, {"eng", 0x14B}, {"ensp", 0x2002}, {"eogon", 0x119},
    {"epsi", 0x3B5}, {"epsilon", 0x3B5}, {"epsiv", 0x3F5}, {"equals", 0x3D}, {"equiv", 0x2261},
    {"eta", 0x3B7}, {"eth", 0xF0}, {"euml", 0xEB}, {"euro", 0x20AC}, {"excl", 0x21},
    {"exist", 0x2203}, {"fnof", 0x192}, {"forall", 0x2200}, {"frac12", 0xBD}, {"frac13", 0x2153},
    {"frac14", 0xBC}, {"frac15", 0x2155}, {"frac16", 0x2159}, {"frac18", 0x215B},
    {"frac23", 0x2154}, {"frac25", 0x2156}, {"frac34", 0xBE}, {"frac35", 0x2157},
    {"frac38", 0x215C}, {"frac45", 0x2158}, {"frac56", 0x215A}, {"frac58", 0x215D},
    {"frac78", 0x215E}, {"gacute", 0x1F5}, {"gamma", 0x3B3}, {"gammad", 0x3DD}, {"gbreve", 0x11F},
    {"gcirc", 0x11D}, {"gdot", 0x121}, {"ge", 0x2265}, {"geq", 0x2265}, {"grave", 0x60},
    {"gt", 0x3E}, {"hairsp", 0x200A}, {"half", 0xBD}, {"hcirc", 0x125}, {"hellip", 0x2026},
    {"horbar", 0x2015}, {"hstrok", 0x127}, {"hyphen", 0x2010}, {"iacute", 0xED}, {"ic", 0x2063},
    {"icirc", 0xEE}, {"iexcl", 0xA1}, {"igrave", 0xEC}, {"ijlig", 0x133}, {"imacr", 0x12B},
    {"imath", 0x131}, {"imped", 0x1B5}, {"in", 0x2208}, {"infin", 0x221E}, {"inodot", 0x131},
    {"int", 0x222B}, {"iogon", 0x12F}, {"iota", 0x3B9}, {"iquest", 0xBF}, {"isin", 0x2208},
    {"isinv", 0x2208}, {"it", 0x2062}, {"itilde", 0x129}, {"iuml", 0xEF}, {"jcirc", 0x135},
    {"jmath", 0x237}, {"kappa", 0x3BA}, {"kappav", 0x3F0}, {"kcedil", 0x137}, {"kgreen", 0x138},
    {"lacute", 0x13A}, {"lambda", 0x3BB}, {"laquo", 0xAB}, {"lbrace", 0x7B}, {"lbrack", 0x5B},
    {"lcaron", 0x13E}, {"lcedil", 0x13C}, {"lcub", 0x7B}, {"ldquo", 0x201C}, {"ldquor", 0x201E},
    {"le", 0x2264}, {"leq", 0x2264}, {"lmidot", 0x140}, {"lowbar", 0x5F}, {"lpar", 0x28},
    {"lrm", 0x200E}, {"lsaquo", 0x2039}, {"lsqb", 0x5B}, {"lsquo", 0x2018}, {"lsquor", 0x201A},
    {"lstrok", 0x142}, {"lt", 0x3C}, {"mdash", 0x2014}, {"micro", 0xB5}, {"midast", 0x2A},
    {"middot", 0xB7}, {"minus", 0x2212}, {"mldr", 0x2026}, {"mu", 0x3BC}, {"nabla", 0x2207},
    {"nacute", 0x144}, {"napos", 0x149}, {"nbsp", 0xA0}, {"ncaron", 0x148}, {"ncedil", 0x146},
    {"ndash", 0x2013}, {"ne", 0x2260}, {"nldr", 0x2025}, {"not", 0xAC}, {"notin", 0x2209},
    {"notinva", 0x2209}, {"ntilde", 0xF1}, {"nu", 0x3BD}, {"num", 0x23}, {"numero", 0x2116},
    {"numsp", 0x2007}, {"oacute", 0xF3}, {"ocirc", 0xF4}, {"odblac", 0x151}, {"oelig", 0x153},
    {"ograve", 0xF2}, {"ohm", 0x3A9}, {"omacr", 0x14D}, {"omega", 0x3C9}, {"omicron", 0x3BF},
    {"or", 0x2228}, {"ordf", 0xAA}, {"ordm", 0xBA}, {"oslash", 0xF8}, {"otilde", 0xF5},
    {"ouml", 0xF6}, {"part", 0x2202}, {"percnt", 0x25}, {"period", 0x2E}, {"permil", 0x2030},
    {"phi", 0x3C6}, {"phiv", 0x3D5}, {"pi", 0x3C0}, {"piv", 0x3D6}, {"plus", 0x2B},
    {"plusmn", 0xB1}, {"pm", 0xB1}, {"pound", 0xA3}, {"prime", 0x2032}, {"prop", 0x221D},
    {"propto", 0x221D}, {"psi", 0x3C8}, {"puncsp", 0x2008}, {"quest", 0x3F}, {"quot", 0x22},
    {"rArr", 0x21D2}, {"racute", 0x155}, {"radic", 0x221A}, {"raquo", 0xBB}, {"rarr", 0x2192},
    {"rbrace", 0x7D}, {"rbrack", 0x5D}, {"rcaron", 0x159}, {"rcedil", 0x157}, {"rcub", 0x7D},
    {"rdquo", 0x201D}, {"rdquor", 0x201D}, {"reg", 0xAE}, {"rho", 0x3C1}, {"rhov", 0x3F1},
    {"rightarrow", 0x2192}, {"rlm", 0x200F}, {"rpar", 0x29}, {"rsaquo", 0x203A}, {"rsqb", 0x5D},
    {"rsquo", 0x2019}, {"rsquor", 0x2019}, {"sacute", 0x15B}, {"sbquo", 0x201A}, {"scaron", 0x161},
    {"scedil", 0x15F}, {"scirc", 0x15D}, {"sect", 0xA7}, {"semi", 0x3B}, {"shy", 0xAD},
    {"sigma", 0x3C3}, {"sigmaf", 0x3C2}, {"sigmav", 0x3C2}, {"sol", 0x2F}, {"srarr", 0x2192},
    {"straightepsilon", 0x3F5}, {"straightphi", 0x3D5}, {"sub", 0x2282}, {"subset", 0x2282},
    {"sum", 0x2211}, {"sup1", 0xB9}, {"sup2", 0xB2}, {"sup3", 0xB3}, {"szlig", 0xDF},
    {"tau", 0x3C4}, {"tcaron", 0x165}, {"tcedil", 0x163}, {"theta", 0x3B8}, {"thetasym", 0x3D1},
    {"thetav", 0x3D1}, {"thickapprox", 0x2248}, {"thinsp", 0x2009}, {"thkap", 0x2248},
    {"thorn", 0xFE}, {"times", 0xD7}, {"trade", 0x2122}, {"tstrok", 0x167}, {"uacute", 0xFA},
    {"ubreve", 0x16D}, {"ucirc", 0xFB}, {"udblac", 0x171}, {"ugrave", 0xF9}, {"umacr", 0x16B},
    {"uml", 0xA8}, {"uogon", 0x173}, {"upsi", 0x3C5}, {"upsih", 0x3D2}, {"upsilon", 0x3C5},
    {"uring", 0x16F}, {"utilde", 0x169}, {"uuml", 0xFC}, {"varepsilon", 0x3F5}, {"varkappa", 0x3F0},
    {"varnothing", 0x2205}, {"varphi", 0x3D5}, {"varpi", 0x3D6}, {"varpropto", 0x221D},
    {"varrho", 0x3F1}, {"varsigma", 0x3C2}, {"vartheta", 0x3D1}, {"vee", 0x2228}, {"verbar", 0x7C},
    {"vert", 0x7C}, {"vprop", 0x221D}, {"wcirc", 0x175}, {"wedge", 0x2227}, {"xi", 0x3BE},
    {"yacute", 0xFD}, {"ycirc", 0x177}, {"yen", 0xA5}, {"yuml", 0xFF}, {"zacute", 0x17A},
    {"zcaron", 0x17E}, {"zdot", 0x17C}, {"zeta", 0x3B6}, {"zwj", 0x200D}, {"zwnj", 0x200C},
    /* clang-format on */
};
enum { NAME_BYTES_MAX = 22 };

/* Numbers from 0x80 to 0x9F mean Windows-1252's signs there (the standard's chapter 13.2.5.80). */
static uint32_t windows_sign(uint32_t cp)
{
    static const struct {
        uint32_t from, to;
    } signs[] = {{0x80, 0x20AC}, {0x82, 0x201A}, {0x84, 0x201E}, {0x85, 0x2026}, {0x8B, 0x2039},
                 {0x91, 0x2018}, {0x92, 0x2019}, {0x93, 0x201C}, {0x94, 0x201D}, {0x95, 0x2022},
                 {0x96, 0x2013}, {0x97, 0x2014}, {0x99, 0x2122}, {0x9B, 0x203A}};
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++)
        if (signs[i].from == cp) return signs[i].to;
    return cp;
}

static int hex_value(char c)
{
    if (vx_is_digit(c)) return c - '0';
    c = (char)(c | 32);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "#39" or "#x27" before its semicolon; 0 for what is no character. */
static uint32_t numbered(const char *name, size_t length)
{
    uint32_t cp = 0;
    bool hex = length > 1 && (name[1] | 32) == 'x';
    size_t first = hex ? 2 : 1;
    if (first >= length || length > 9) return 0;
    for (size_t i = first; i < length; i++) {
        int digit = hex ? hex_value(name[i]) : vx_is_digit(name[i]) ? name[i] - '0' : -1;
        if (digit < 0) return 0;
        cp = cp * (hex ? 16 : 10) + (uint32_t)digit;
    }
    if (cp > 0x10FFFF || (cp >= 0xD800 && cp < 0xE000)) return 0;
    return windows_sign(cp);
}

static int compare_entity(const void *key, const void *item)
{
    return strcmp(key, ((const struct entity *)item)->name);
}

size_t vx_entity_at(const char *text, size_t length, uint32_t *cp)
{
    size_t at = 1, end;
    if (length < 4 || text[0] != '&') return 0;
    while (vx_word_at(text, length, at, "amp;")) /* what was encoded twice */
        at += 4;
    for (end = at; end < length && end - at < NAME_BYTES_MAX && text[end] != ';'; end++)
        if (text[end] != '#' && !vx_is_digit(text[end]) && !vx_is_letter(text[end])) break;
    bool closed = end < length && text[end] == ';';
    *cp = 0;
    if (closed && end > at && text[at] == '#') {
        *cp = numbered(text + at, end - at);
    } else if (closed && end > at) {
        char name[NAME_BYTES_MAX + 1] = "";
        memcpy(name, text + at, end - at);
        const struct entity *found = bsearch(name, entities, sizeof entities / sizeof entities[0],
                                             sizeof entities[0], compare_entity);
        if (found != NULL) *cp = found->cp;
    }
    if (*cp != 0) return end + 1;
    *cp = '&';
    return at > 1 ? at : 0;
}

/* Elements of HTML and SSML by what they do to the words beside them. */
static const char blocks[] =
    " address article aside blockquote body br caption center dd details dialog div dl dt fieldset "
    "figcaption figure footer form h1 h2 h3 h4 h5 h6 head header hr html legend li main menu nav "
    "ol "
    "p paragraph s-p section sentence summary table tbody tfoot thead title tr ul ";
static const char inlines[] =
    " a abbr acronym audio b bdi bdo big button canvas cite code data datalist del dfn em embed "
    "emphasis font i iframe img input ins kbd label lexicon link map mark meta meter noscript "
    "object optgroup option output phoneme picture pre progress prosody q rp rt ruby s samp "
    "say-as select slot small source span speak strike strong sub sup svg td template textarea th "
    "time track tt u var video voice wbr ";
static const char silent[] = " script style ";

/* Where the tag's ">" stands, beyond attributes in quotes; 0 when it does not close. */
enum { TAG_BYTES_MAX = 2000 };
static size_t tag_end(const char *text, size_t length)
{
    char quote = '\0';
    for (size_t at = 1; at < length && at < TAG_BYTES_MAX; at++) {
        char c = text[at];
        if (quote != '\0')
            quote = c == quote ? '\0' : quote;
        else if ((c == '"' || c == '\'') && text[at - 1] == '=')
            quote = c;
        else if (c == '>')
            return at;
        else if (c == '<')
            return 0;
    }
    return 0;
}

/* What lies between an opening tag and its closing one, both with it; the tag alone when it does
 * not close. */
static size_t skip_element(const char *text, size_t length, size_t open, const char *name,
                           size_t name_length)
{
    for (size_t at = open; at + name_length + 3 <= length; at++) {
        if (text[at] != '<' || text[at + 1] != '/') continue;
        if (memcmp(text + at + 2, name, name_length) != 0) continue;
        size_t end = tag_end(text + at, length - at);
        if (end > 0) return at + end + 1;
    }
    return open;
}

/* The seconds of <break time="500ms"/>; one without a time is a plain pause. */
static vx_markup pause_of(const char *tag, size_t length)
{
    const char *time = memmem(tag, length, "time=", 5);
    if (time == NULL) {
        bool weak = memmem(tag, length, "weak", 4) != NULL, none = memmem(tag, length, "none", 4);
        return none ? VX_MARKUP_NOTHING : weak ? VX_MARKUP_COMMA : VX_MARKUP_PAUSE;
    }
    size_t at = (size_t)(time - tag) + 5;
    while (at < length && (tag[at] == '"' || tag[at] == '\''))
        at++;
    double value = 0, scale = 1;
    for (; at < length && (vx_is_digit(tag[at]) || tag[at] == '.'); at++) {
        if (tag[at] == '.') {
            scale = 0.1;
        } else if (scale < 1) {
            value += scale * (tag[at] - '0');
            scale *= 0.1;
        } else if (value < 1e6) {
            value = 10 * value + (tag[at] - '0');
        }
    }
    bool thousandths = vx_word_at(tag, length, at, "ms");
    double seconds = thousandths ? value / 1000 : value;
    /* Kokoro's comma is some 0.2 s, its ellipsis some 0.5 s. */
    return seconds <= 0 ? VX_MARKUP_NOTHING : seconds < 0.3 ? VX_MARKUP_COMMA : VX_MARKUP_PAUSE;
}

size_t vx_markup_at(const char *text, size_t length, vx_markup *what)
{
    *what = VX_MARKUP_NOTHING;
    if (length < 3 || text[0] != '<') return 0;
    if (vx_word_at(text, length, 0, "<!--")) {
        const char *close = memmem(text + 4, length - 4, "-->", 3);
        return close != NULL ? (size_t)(close - text) + 3 : 0;
    }
    size_t end = tag_end(text, length), name = text[1] == '/' ? 2 : 1, bytes = 0;
    if (end == 0) return 0;
    if (vx_word_at(text, length, 0, "<!DOCTYPE") || vx_word_at(text, length, 0, "<!doctype") ||
        vx_word_at(text, length, 0, "<?xml"))
        return end + 1;
    char small[16] = "";
    while (name + bytes < end && (vx_is_letter(text[name + bytes]) ||
                                  vx_is_digit(text[name + bytes]) || text[name + bytes] == '-')) {
        char c = text[name + bytes];
        if (bytes + 1 < sizeof small) small[bytes] = (char)(c >= 'A' && c <= 'Z' ? c | 32 : c);
        bytes++;
    }
    if (bytes == 0 || bytes >= sizeof small || !vx_is_letter(small[0])) return 0;
    /* "<b" is a tag before a space, a slash or its end only. */
    char after = text[name + bytes];
    if (after != ' ' && after != '/' && after != '>' && after != '\n' && after != '\t') return 0;
    if (vx_text_is(small, bytes, "break")) {
        *what = pause_of(text, end);
        return end + 1;
    }
    bool block = vx_in_list(blocks, small, bytes);
    if (vx_in_list(silent, small, bytes) && name == 1)
        return skip_element(text, length, end + 1, text + name, bytes);
    bool element = block || vx_in_list(inlines, small, bytes) || vx_in_list(silent, small, bytes);
    /* Elements that nobody knows show themselves by a slash or an attribute. */
    bool shown = name == 2 || text[end - 1] == '/' || memchr(text, '=', end) != NULL;
    if (!element && !shown) return 0;
    bool cell = vx_text_is(small, bytes, "td") || vx_text_is(small, bytes, "th");
    *what = block ? VX_MARKUP_BLOCK : cell ? VX_MARKUP_COMMA : VX_MARKUP_NOTHING;
    return end + 1;
}

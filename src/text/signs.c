/* Signs that are read by their name. */
#include "text/expand.h"

static const char *greek_letter(uint32_t cp)
{
    static const char *const names[] = {
        "alpha", "beta",   "gamma",   "delta", "epsilon", "zeta",    "eta",  "theta", "iota",
        "kappa", "lambda", "mu",      "nu",    "xi",      "omicron", "pi",   "rho",   "sigma",
        "sigma", "tau",    "upsilon", "phi",   "chi",     "psi",     "omega"};
    if (cp >= 0x391 && cp <= 0x3A9) return names[cp - 0x391];
    if (cp >= 0x3B1 && cp <= 0x3C9) return names[cp - 0x3B1];
    return NULL;
}

const char *vx_sign_reading(uint32_t cp, char next)
{
    bool digit = next >= '0' && next <= '9';
    switch (cp) {
    case '#':
        return digit ? "number" : NULL;
    case '~':
    case 0x2248:
        return digit || cp != '~' ? "about" : NULL;
    case '=':
        return "equals";
    case '<':
        return "less than";
    case '>':
        return "greater than";
    case 0x2260:
        return "not equal to";
    case 0x2264:
        return "less than or equal to";
    case 0x2265:
        return "greater than or equal to";
    case 0xB1:
        return "plus or minus";
    case 0xD7:
        return "times";
    case 0xF7:
        return "divided by";
    case 0xA7:
        return "section";
    case 0xB0:
        return "degrees";
    case 0xB2:
        return "squared";
    case 0xB3:
        return "cubed";
    case 0xA2:
        return "cents";
    case 0x2103:
        return "degrees celsius";
    case 0x2109:
        return "degrees fahrenheit";
    default:
        return greek_letter(cp);
    }
}


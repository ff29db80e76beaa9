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

static const struct sign {
    uint32_t cp;
    const char *reading;
} signs[] = {
    {'=', "equals"},
    {'<', "less than"},
    {'>', "greater than"},
    {0xA2, "cents"},
    {0xA7, "section"},
    {0xA9, "copyright"},
    {0xAC, "not"},
    {0xB0, "degrees"},
    {0xB1, "plus or minus"},
    {0xB6, "paragraph"},
    {0xB2, "squared"},
    {0xB3, "cubed"},
    {0xD7, "times"},
    {0xF7, "divided by"},
    {0x2030, "per mille"},
    {0x2103, "degrees celsius"},
    {0x2109, "degrees fahrenheit"},
    {0x2116, "number"},
    {0x2192, "to"},
    {0x21D2, "implies"},
    {0x21D4, "is equivalent to"},
    {0x2200, "for all"},
    {0x2202, "partial"},
    {0x2203, "there exists"},
    {0x2205, "the empty set"},
    {0x2206, "delta"},
    {0x2207, "nabla"},
    {0x2208, "in"},
    {0x2209, "not in"},
    {0x220F, "the product of"},
    {0x2211, "the sum of"},
    {0x221A, "the square root of"},
    {0x221B, "the cube root of"},
    {0x221D, "is proportional to"},
    {0x221E, "infinity"},
    {0x2220, "angle"},
    {0x2227, "and"},
    {0x2228, "or"},
    {0x2229, "intersection"},
    {0x222A, "union"},
    {0x222B, "the integral of"},
    {0x2248, "about"},
    {0x2260, "not equal to"},
    {0x2261, "is identical to"},
    {0x2264, "less than or equal to"},
    {0x2265, "greater than or equal to"},
    {0x2282, "is a subset of"},
    {0x266D, "flat"},
    {0x266F, "sharp"},
};

const char *vx_sign_reading(uint32_t cp, char next)
{
    bool digit = next >= '0' && next <= '9';
    if (cp == '#') return digit ? "number" : NULL;
    if (cp == '~') return digit ? "about" : NULL;
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++)
        if (signs[i].cp == cp) return signs[i].reading;
    return greek_letter(cp);
}

#include "text/units.h"

#include <string.h>

#include "text/scan.h"

enum { GLUED = VX_UNIT_GLUED, SPACED = VX_UNIT_SPACED, AREA = VX_UNIT_AREA };

/* Bare F and C are degrees of temperature; s behind a number is a plural ("the 90s"). */
static const vx_unit units[] = {
    {"km", "kilometer", "kilometers", AREA},
    {"cm", "centimeter", "centimeters", AREA},
    {"mm", "millimeter", "millimeters", AREA},
    {"m", "meter", "meters", AREA},
    {"µm", "micrometer", "micrometers", AREA},
    {"μm", "micrometer", "micrometers", AREA},
    {"nm", "nanometer", "nanometers", AREA},
    {"ft", "foot", "feet", AREA},
    {"yd", "yard", "yards", AREA},
    {"yds", "yard", "yards", AREA},
    {"mi", "mile", "miles", AREA},
    {"sq ft", "square foot", "square feet", 0},
    {"sq. ft", "square foot", "square feet", 0},
    {"sq m", "square meter", "square meters", 0},
    {"sq km", "square kilometer", "square kilometers", 0},
    {"sq mi", "square mile", "square miles", 0},
    {"cu ft", "cubic foot", "cubic feet", 0},
    {"ha", "hectare", "hectares", 0},
    {"kg", "kilogram", "kilograms", 0},
    {"mg", "milligram", "milligrams", 0},
    {"µg", "microgram", "micrograms", 0},
    {"μg", "microgram", "micrograms", 0},
    {"mcg", "microgram", "micrograms", 0},
    {"g", "gram", "grams", 0},
    {"lb", "pound", "pounds", 0},
    {"lbs", "pound", "pounds", 0},
    {"oz", "ounce", "ounces", 0},
    {"fl oz", "fluid ounce", "fluid ounces", 0},
    {"fl. oz", "fluid ounce", "fluid ounces", 0},
    {"ml", "milliliter", "milliliters", 0},
    {"mL", "milliliter", "milliliters", 0},
    {"cl", "centiliter", "centiliters", 0},
    {"dl", "deciliter", "deciliters", 0},
    {"dL", "deciliter", "deciliters", 0},
    {"L", "liter", "liters", 0},
    {"l", "liter", "liters", 0},
    {"gal", "gallon", "gallons", 0},
    {"qt", "quart", "quarts", 0},
    {"tsp", "teaspoon", "teaspoons", 0},
    {"tbsp", "tablespoon", "tablespoons", 0},
    {"Tbsp", "tablespoon", "tablespoons", 0},
    {"pt", "pint", "pints", SPACED},
    {"doz", "dozen", "dozen", SPACED},
    {"cu. ft", "cubic foot", "cubic feet", SPACED},
    {"cc", "C C", "C Cs", 0},
    {"mph", "mile per hour", "miles per hour", 0},
    {"kph", "kilometer per hour", "kilometers per hour", 0},
    {"kmh", "kilometer per hour", "kilometers per hour", 0},
    {"mpg", "mile per gallon", "miles per gallon", 0},
    {"kn", "knot", "knots", 0},
    {"kt", "knot", "knots", 0},
    {"kts", "knot", "knots", 0},
    {"rpm", "revolution per minute", "revolutions per minute", 0},
    {"bpm", "beat per minute", "beats per minute", 0},
    {"fps", "frame per second", "frames per second", 0},
    {"Hz", "hertz", "hertz", 0},
    {"kHz", "kilohertz", "kilohertz", 0},
    {"MHz", "megahertz", "megahertz", 0},
    {"GHz", "gigahertz", "gigahertz", 0},
    {"THz", "terahertz", "terahertz", 0},
    {"KB", "kilobyte", "kilobytes", 0},
    {"kB", "kilobyte", "kilobytes", 0},
    {"MB", "megabyte", "megabytes", 0},
    {"GB", "gigabyte", "gigabytes", 0},
    {"TB", "terabyte", "terabytes", 0},
    {"PB", "petabyte", "petabytes", 0},
    {"KiB", "kibibyte", "kibibytes", 0},
    {"MiB", "mebibyte", "mebibytes", 0},
    {"GiB", "gibibyte", "gibibytes", 0},
    {"TiB", "tebibyte", "tebibytes", 0},
    {"kb", "kilobit", "kilobits", 0},
    {"Mb", "megabit", "megabits", 0},
    {"Gb", "gigabit", "gigabits", 0},
    {"kbps", "kilobit per second", "kilobits per second", 0},
    {"Kbps", "kilobit per second", "kilobits per second", 0},
    {"Mbps", "megabit per second", "megabits per second", 0},
    {"Gbps", "gigabit per second", "gigabits per second", 0},
    {"MP", "megapixel", "megapixels", 0},
    {"px", "pixel", "pixels", 0},
    {"dpi", "dot per inch", "dots per inch", 0},
    {"ppm", "part per million", "parts per million", 0},
    {"ppb", "part per billion", "parts per billion", 0},
    {"W", "watt", "watts", 0},
    {"mW", "milliwatt", "milliwatts", 0},
    {"kW", "kilowatt", "kilowatts", 0},
    {"MW", "megawatt", "megawatts", 0},
    {"GW", "gigawatt", "gigawatts", 0},
    {"TW", "terawatt", "terawatts", 0},
    {"Wh", "watt hour", "watt hours", 0},
    {"kWh", "kilowatt hour", "kilowatt hours", 0},
    {"MWh", "megawatt hour", "megawatt hours", 0},
    {"GWh", "gigawatt hour", "gigawatt hours", 0},
    {"TWh", "terawatt hour", "terawatt hours", 0},
    {"mAh", "milliamp hour", "milliamp hours", 0},
    {"Ah", "amp hour", "amp hours", 0},
    {"mA", "milliamp", "milliamps", 0},
    {"V", "volt", "volts", 0},
    {"mV", "millivolt", "millivolts", 0},
    {"kV", "kilovolt", "kilovolts", 0},
    {"Ω", "ohm", "ohms", 0},
    {"kΩ", "kilohm", "kilohms", 0},
    {"MΩ", "megohm", "megohms", 0},
    {"J", "joule", "joules", 0},
    {"kJ", "kilojoule", "kilojoules", 0},
    {"MJ", "megajoule", "megajoules", 0},
    {"kcal", "kilocalorie", "kilocalories", 0},
    {"cal", "calorie", "calories", 0},
    {"eV", "electron volt", "electron volts", 0},
    {"keV", "kiloelectron volt", "kiloelectron volts", 0},
    {"MeV", "megaelectron volt", "megaelectron volts", 0},
    {"GeV", "gigaelectron volt", "gigaelectron volts", 0},
    {"kN", "kilonewton", "kilonewtons", 0},
    {"Pa", "pascal", "pascals", 0},
    {"hPa", "hectopascal", "hectopascals", 0},
    {"kPa", "kilopascal", "kilopascals", 0},
    {"MPa", "megapascal", "megapascals", 0},
    {"psi", "P S I", "P S I", 0},
    {"hp", "horsepower", "horsepower", 0},
    {"dB", "decibel", "decibels", 0},
    {"dBA", "decibel", "decibels", 0},
    {"lm", "lumen", "lumens", 0},
    {"mol", "mole", "moles", 0},
    {"mmol", "millimole", "millimoles", 0},
    {"min", "minute", "minutes", 0},
    {"mins", "minute", "minutes", 0},
    {"hr", "hour", "hours", 0},
    {"hrs", "hour", "hours", 0},
    {"h", "hour", "hours", 0},
    {"sec", "second", "seconds", 0},
    {"secs", "second", "seconds", 0},
    {"s", "second", "seconds", SPACED},
    {"ms", "millisecond", "milliseconds", 0},
    {"µs", "microsecond", "microseconds", 0},
    {"μs", "microsecond", "microseconds", 0},
    {"ns", "nanosecond", "nanoseconds", 0},
    {"wk", "week", "weeks", 0},
    {"wks", "week", "weeks", 0},
    {"mo", "month", "months", 0},
    {"mos", "month", "months", 0},
    {"yr", "year", "years", 0},
    {"yrs", "year", "years", 0},
    {"°C", "degree celsius", "degrees celsius", 0},
    {"°F", "degree fahrenheit", "degrees fahrenheit", 0},
    {"° C", "degree celsius", "degrees celsius", 0},
    {"° F", "degree fahrenheit", "degrees fahrenheit", 0},
    {"℃", "degree celsius", "degrees celsius", 0},
    {"℉", "degree fahrenheit", "degrees fahrenheit", 0},
    {"°", "degree", "degrees", 0},
    {"%", "percent", "percent", 0},
    {"‰", "per mille", "per mille", 0},
};

/* "5 in" is a preposition unless a point, a sign of a power or a word of size shows the inch. */
static bool is_inch(const char *text, size_t length, size_t at, bool spaced)
{
    static const char sizes[] = " x by wide tall long high deep thick square cubic ";
    size_t end = at + 2;
    if (!vx_word_at(text, length, at, "in") || !vx_boundary_at(text, length, end)) return false;
    if (!spaced || vx_word_at(text, length, end, "²") || vx_word_at(text, length, end, "³"))
        return true;
    if (end < length && text[end] == '.') return true;
    if (vx_word_at(text, length, end, " ×")) return true;
    if (end >= length || text[end] != ' ') return false;
    return vx_in_list(sizes, text + end + 1, vx_letters_at(text, length, end + 1));
}

const vx_unit *vx_unit_at(const char *text, size_t length, size_t at, bool spaced, size_t *bytes)
{
    static const vx_unit inch = {"in", "inch", "inches", AREA};
    const vx_unit *found = NULL;
    *bytes = 0;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t n = strlen(units[i].text);
        if (n <= *bytes || !vx_word_at(text, length, at, units[i].text)) continue;
        if (units[i].how & (spaced ? GLUED : SPACED)) continue;
        size_t end = at + n;
        /* m2, km3: a power without its sign. */
        bool power = (units[i].how & AREA) && end < length && strchr("23", text[end]) != NULL &&
                     vx_boundary_at(text, length, end + 1);
        if (vx_is_letter(text[end - 1]) && !power && !vx_boundary_at(text, length, end)) continue;
        found = &units[i];
        *bytes = n;
    }
    if (found == NULL && is_inch(text, length, at, spaced)) {
        found = &inch;
        *bytes = 2;
    }
    return found;
}

const char *vx_per_at(const char *text, size_t length, size_t at, size_t *bytes)
{
    static const char *const words[][2] = {
        {"h", "hour"},          {"hr", "hour"},     {"hour", "hour"},     {"min", "minute"},
        {"minute", "minute"},   {"s", "second"},    {"sec", "second"},    {"second", "second"},
        {"d", "day"},           {"day", "day"},     {"night", "night"},   {"w", "week"},
        {"wk", "week"},         {"week", "week"},   {"mo", "month"},      {"mth", "month"},
        {"month", "month"},     {"y", "year"},      {"yr", "year"},       {"year", "year"},
        {"annum", "annum"},     {"pp", "person"},   {"person", "person"}, {"head", "head"},
        {"ea", "piece"},        {"piece", "piece"}, {"pc", "piece"},      {"pt", "point"},
        {"user", "user"},       {"seat", "seat"},   {"ton", "ton"},       {"mile", "mile"},
        {"pound", "pound"},     {"ounce", "ounce"}, {"gallon", "gallon"}, {"liter", "liter"},
        {"litre", "liter"},     {"dozen", "dozen"}, {"share", "share"},   {"barrel", "barrel"},
        {"bbl", "barrel"},      {"game", "game"},   {"word", "word"},     {"page", "page"},
        {"call", "call"},       {"visit", "visit"}, {"item", "item"},     {"unit", "unit"},
        {"family", "family"},   {"child", "child"}, {"adult", "adult"},   {"student", "student"},
        {"quarter", "quarter"}, {"acre", "acre"},   {"box", "box"},       {"pack", "pack"}};
    *bytes = vx_letters_at(text, length, at);
    if (*bytes == 0 || !vx_boundary_at(text, length, at + *bytes)) return NULL;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (vx_text_is(text + at, *bytes, words[i][0])) return words[i][1];
    return NULL;
}

const char *vx_magnitude(const char *word, size_t length, bool spelt)
{
    static const char *const whole[] = {"hundred", "thousand", "million", "billion", "trillion"};
    static const char *const forms[][2] = {
        {"k", "thousand"},  {"K", "thousand"},  {"m", "million"},   {"M", "million"},
        {"mn", "million"},  {"mm", "million"},  {"MM", "million"},  {"mil", "million"},
        {"mln", "million"}, {"mio", "million"}, {"bn", "billion"},  {"b", "billion"},
        {"B", "billion"},   {"bln", "billion"}, {"tn", "trillion"}, {"T", "trillion"},
        {"trn", "trillion"}};
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
        if (vx_text_is(word, length, whole[i])) return whole[i];
    for (size_t i = 0; !spelt && i < sizeof forms / sizeof forms[0]; i++)
        if (vx_text_is(word, length, forms[i][0])) return forms[i][1];
    return NULL;
}

/* lunar.c - see lunar.h. Angles in radians, moments in days of terrestrial time since J2000.0 (2000-01-01 12:00 TT),
 * but where a name says otherwise. */
#include "playlists/lunar.h"

#include "playlists/base/civil.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stddef.h>

#define RADIANS(degrees) ((degrees) * (3.14159265358979323846 / 180))
#define SYNODIC_DAYS     29.530588861

enum {
    J2000_DAY = 10957, /* 2000-01-01, in days since 1970 */
    ZONE_S = 7 * 3600,
    DAY_S = 86400,
    /* Lunations counted from 2000-01-06 (Meeus, 49): from one before the solstice of 1974 to one behind that of 2200.
     */
    K_FIRST = -312,
    K_LAST = 2488,
    MONTHS_MAX = K_LAST - K_FIRST + 1,
    NOVEMBER = 11, /* the month that holds the solstice */
    YEARS = LUNAR_LAST_YEAR - LUNAR_FIRST_YEAR + 1,
};

struct month {
    int32_t first_day; /* days since 1970 */
    int16_t year;
    int8_t month;
    bool leap;
};

static struct month months[MONTHS_MAX + 1]; /* of the known years, and behind them the first that is not known */
static int n_months;
static int year_at[YEARS + 1]; /* index of the first month of a year */
static pthread_once_t made = PTHREAD_ONCE_INIT;

/* a + b t + c t^2 ... */
static double polynomial(const double *coefficients, size_t n, double t)
{
    double sum = 0;
    while (n > 0)
        sum = sum * t + coefficients[--n];
    return sum;
}

/* TT - UT in seconds. Espenak and Meeus, Five Millennium Canon of Solar Eclipses (2006), section 2. */
static double delta_t_s(double year)
{
    static const double to_1986[] = {45.45, 1.067, -1.0 / 260, -1.0 / 718};
    static const double to_2005[] = {63.86, 0.3345, -0.060374, 0.0017275, 0.000651814, 0.00002373599};
    static const double to_2050[] = {62.92, 0.32217, 0.005589};
    double centuries = (year - 1820) / 100;
    if (year < 1986)
        return polynomial(to_1986, 4, year - 1975);
    if (year < 2005)
        return polynomial(to_2005, 6, year - 2000);
    if (year < 2050)
        return polynomial(to_2050, 3, year - 2000);
    return -20 + 32 * centuries * centuries - (year < 2150 ? 0.5628 * (2150 - year) : 0);
}

static double year_of(double tt_days)
{
    return 2000 + tt_days / 365.2425;
}

/* The civil day at UTC+7 of a moment, in days since 1970. */
static int64_t civil_day_of(double tt_days)
{
    double utc_days = tt_days - delta_t_s(year_of(tt_days)) / DAY_S;
    return J2000_DAY + (int64_t)floor(utc_days + 0.5 + (double)ZONE_S / DAY_S);
}

/* The moment at which the civil day begins. */
static double moment_of_day(int64_t day)
{
    double utc_days = (double)(day - J2000_DAY) - 0.5 - (double)ZONE_S / DAY_S;
    return utc_days + delta_t_s(year_of(utc_days)) / DAY_S;
}

/* One periodic term of a new moon's moment: days * E^e * sin(m M + n M' + f F). */
struct moon_term {
    double days;
    int8_t e, sun, moon, node;
};
/* Meeus, 49: the column for the new moon. */
static const struct moon_term moon_terms[] = {
    {-0.40720, 0, 0, 1, 0}, {0.17241, 1, 1, 0, 0},    {0.01608, 0, 0, 2, 0},  {0.01039, 0, 0, 0, 2},
    {0.00739, 1, -1, 1, 0}, {-0.00514, 1, 1, 1, 0},   {0.00208, 2, 2, 0, 0},  {-0.00111, 0, 0, 1, -2},
    {-0.00057, 0, 0, 1, 2}, {0.00056, 1, 1, 2, 0},    {-0.00042, 0, 0, 3, 0}, {0.00042, 1, 1, 0, 2},
    {0.00038, 1, 1, 0, -2}, {-0.00024, 1, -1, 2, 0},  {-0.00007, 0, 2, 1, 0}, {0.00004, 0, 0, 2, -2},
    {0.00004, 0, 3, 0, 0},  {0.00003, 0, 1, 1, -2},   {0.00003, 0, 0, 2, 2},  {-0.00003, 0, 1, 1, 2},
    {0.00003, 0, -1, 1, 2}, {-0.00002, 0, -1, 1, -2}, {-0.00002, 0, 1, 3, 0}, {0.00002, 0, 0, 4, 0},
};
/* Meeus, 49: planetary arguments, degrees at k = 0, degrees each k, and what each adds in days. */
static const double planet_terms[][3] = {
    {299.77, 0.107408, 0.000325},  {251.88, 0.016321, 0.000165}, {251.83, 26.651886, 0.000164},
    {349.42, 36.412478, 0.000126}, {84.66, 18.206239, 0.000110}, {141.74, 53.303771, 0.000062},
    {207.14, 2.453732, 0.000060},  {154.84, 7.306860, 0.000056}, {34.52, 27.261239, 0.000047},
    {207.19, 0.121824, 0.000042},  {291.34, 1.844379, 0.000040}, {161.72, 24.198154, 0.000037},
    {239.56, 25.513099, 0.000035}, {331.55, 3.592518, 0.000023},
};

static double new_moon(int lunation)
{
    double k = lunation, t = k / 1236.85;
    double e = 1 - 0.002516 * t - 0.0000074 * t * t;
    double sun = RADIANS(2.5534 + 29.10535670 * k - 0.0000014 * t * t - 0.00000011 * t * t * t);
    double moon = RADIANS(201.5643 + 385.81693528 * k + 0.0107582 * t * t + 0.00001238 * t * t * t);
    double latitude = RADIANS(160.7108 + 390.67050284 * k - 0.0016118 * t * t - 0.00000227 * t * t * t);
    double node = RADIANS(124.7746 - 1.56375588 * k + 0.0020672 * t * t + 0.00000215 * t * t * t);
    double moment = 5.09766 + SYNODIC_DAYS * k + 0.00015437 * t * t - 0.000000150 * t * t * t - 0.00017 * sin(node);
    for (size_t i = 0; i < sizeof(moon_terms) / sizeof(moon_terms[0]); i++) {
        const struct moon_term *term = &moon_terms[i];
        double days = term->e == 0 ? term->days : term->e == 1 ? term->days * e : term->days * e * e;
        moment += days * sin(term->sun * sun + term->moon * moon + term->node * latitude);
    }
    for (size_t i = 0; i < sizeof(planet_terms) / sizeof(planet_terms[0]); i++)
        moment += planet_terms[i][2] *
                  sin(RADIANS(planet_terms[i][0] + planet_terms[i][1] * k + (i == 0 ? -0.009173 * t * t : 0)));
    return moment;
}

/* VSOP87, the earth's heliocentric longitude (Meeus, appendix III): amplitude in 1e-8 radians, phase, and frequency in
 * radians each thousand years. */
struct earth_term {
    double amplitude, phase, frequency;
};
static const struct earth_term earth_0[] = {
    {175347046, 0, 0},
    {3341656, 4.6692568, 6283.0758500},
    {34894, 4.62610, 12566.15170},
    {3497, 2.7441, 5753.3849},
    {3418, 2.8289, 3.5231},
    {3136, 3.6277, 77713.7715},
    {2676, 4.4181, 7860.4194},
    {2343, 6.1352, 3930.2097},
    {1324, 0.7425, 11506.7698},
    {1273, 2.0371, 529.6910},
    {1199, 1.1096, 1577.3435},
    {990, 5.233, 5884.927},
    {902, 2.045, 26.298},
    {857, 3.508, 398.149},
    {780, 1.179, 5223.694},
    {753, 2.533, 5507.553},
    {505, 4.583, 18849.228},
    {492, 4.205, 775.523},
    {357, 2.920, 0.067},
    {317, 5.849, 11790.629},
    {284, 1.899, 796.298},
    {271, 0.315, 10977.079},
    {243, 0.345, 5486.778},
    {206, 4.806, 2544.314},
    {205, 1.869, 5573.143},
    {202, 2.458, 6069.777},
    {156, 0.833, 213.299},
    {132, 3.411, 2942.463},
    {126, 1.083, 20.775},
    {115, 0.645, 0.980},
    {103, 0.636, 4694.003},
    {102, 0.976, 15720.839},
    {102, 4.267, 7.114},
    {99, 6.21, 2146.17},
    {98, 0.68, 155.42},
    {86, 5.98, 161000.69},
    {85, 1.30, 6275.96},
    {85, 3.67, 71430.70},
    {80, 1.81, 17260.15},
    {79, 3.04, 12036.46},
    {75, 1.76, 5088.63},
    {74, 3.50, 3154.69},
    {74, 4.68, 801.82},
    {70, 0.83, 9437.76},
    {62, 3.98, 8827.39},
    {61, 1.82, 7084.90},
    {57, 2.78, 6286.60},
    {56, 4.39, 14143.50},
    {56, 3.47, 6279.55},
    {52, 0.19, 12139.55},
    {52, 1.33, 1748.02},
    {51, 0.28, 5856.48},
    {49, 0.49, 1194.45},
    {41, 5.37, 8429.24},
    {41, 2.40, 19651.05},
    {39, 6.17, 10447.39},
    {37, 6.04, 10213.29},
    {37, 2.57, 1059.38},
    {36, 1.71, 2352.87},
    {36, 1.78, 6812.77},
    {33, 0.59, 17789.85},
    {30, 0.44, 83996.85},
    {30, 2.74, 1349.87},
    {25, 3.16, 4690.48},
};
static const struct earth_term earth_1[] = {
    {628331966747, 0, 0},       {206059, 2.678235, 6283.075850},
    {4303, 2.6351, 12566.1517}, {425, 1.590, 3.523},
    {119, 5.796, 26.298},       {109, 2.966, 1577.344},
    {93, 2.59, 18849.23},       {72, 1.14, 529.69},
    {68, 1.87, 398.15},         {67, 4.41, 5507.55},
    {59, 2.89, 5223.69},        {56, 2.17, 155.42},
    {45, 0.40, 796.30},         {36, 0.47, 775.52},
    {29, 2.65, 7.11},           {21, 5.34, 0.98},
    {19, 1.85, 5486.78},        {19, 4.97, 213.30},
    {17, 2.99, 6275.96},        {16, 0.03, 2544.31},
    {16, 1.43, 2146.17},        {15, 1.21, 10977.08},
    {12, 2.83, 1748.02},        {12, 3.26, 5088.63},
    {12, 5.27, 1194.45},        {12, 2.08, 4694.00},
    {11, 0.77, 553.57},         {10, 1.30, 6286.60},
    {10, 4.24, 1349.87},        {9, 2.70, 242.73},
    {9, 5.64, 951.72},          {8, 5.30, 2352.87},
    {6, 2.65, 9437.76},         {6, 4.67, 4690.48},
};
static const struct earth_term earth_2[] = {
    {52919, 0, 0},      {8720, 1.0721, 6283.0758}, {309, 0.867, 12566.152}, {27, 0.05, 3.52},   {16, 5.19, 26.30},
    {16, 3.68, 155.42}, {10, 0.76, 18849.23},      {9, 2.06, 77713.77},     {7, 0.83, 775.52},  {5, 4.66, 1577.34},
    {4, 1.03, 7.11},    {4, 3.44, 5573.14},        {3, 5.14, 796.30},       {3, 6.05, 5507.55}, {3, 1.19, 242.73},
    {3, 6.12, 529.69},  {3, 0.31, 398.15},         {3, 2.28, 553.57},       {2, 4.38, 5223.69}, {2, 3.75, 0.98},
};
static const struct earth_term earth_3[] = {
    {289, 5.844, 6283.076}, {35, 0, 0},          {17, 5.49, 12566.15}, {3, 5.20, 155.42},
    {1, 4.72, 3.52},        {1, 5.30, 18849.23}, {1, 5.97, 242.73},
};

static double earth_sum(const struct earth_term *terms, size_t n, double thousands)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += terms[i].amplitude * cos(terms[i].phase + terms[i].frequency * thousands);
    return sum * 1e-8;
}

#define EARTH(terms) earth_sum(terms, sizeof(terms) / sizeof((terms)[0]), thousands)

/* The sun's apparent longitude of date in degrees, 0 to 360: the geometric one, less aberration (Meeus, 25), and the
 * greater terms of nutation (Meeus, 22). */
static double sun_longitude(double tt_days)
{
    double thousands = tt_days / 365250, centuries = thousands * 10;
    double earth =
        EARTH(earth_0) + thousands * (EARTH(earth_1) + thousands * (EARTH(earth_2) + thousands * EARTH(earth_3)));
    double sun = RADIANS(280.4665 + 36000.7698 * centuries), moon = RADIANS(218.3165 + 481267.8813 * centuries);
    double node = RADIANS(125.04452 - 1934.136261 * centuries);
    double anomaly = RADIANS(357.52911 + 35999.05029 * centuries);
    double nutation = -17.20 * sin(node) - 1.32 * sin(2 * sun) - 0.23 * sin(2 * moon) + 0.21 * sin(2 * node);
    double distance = 1.00014 - 0.016708 * cos(anomaly) - 0.00014 * cos(2 * anomaly);
    double to_fk5 = -0.09033; /* Meeus, 32.3 */
    double degrees = earth / RADIANS(1.0) + 180 + (to_fk5 + nutation - 20.4898 / distance) / 3600;
    degrees = fmod(degrees, 360);
    return degrees < 0 ? degrees + 360 : degrees;
}

/* Which twelfth of its way the sun is in when the day begins: 9 from the winter solstice on. */
static int sun_sector(int32_t day)
{
    return (int)(sun_longitude(moment_of_day(day)) / 30);
}

/* From the eleventh month at index `from` up to the next at `to`: numbers, years and the leap month. */
static void number_months(struct month *all, int from, int to, int solstice_year)
{
    bool wanted = to - from == 13; /* thirteen begin: one of them is a leap month */
    int number = NOVEMBER, year = solstice_year;
    for (int i = from; i < to; i++) {
        bool leap = wanted && i > from && sun_sector(all[i].first_day) == sun_sector(all[i + 1].first_day);
        wanted = wanted && !leap;
        if (!leap && i > from) {
            year += number == 12;
            number = number % 12 + 1;
        }
        all[i].month = (int8_t)number;
        all[i].year = (int16_t)year;
        all[i].leap = leap;
    }
}

/* The index of the month that holds the solstice of that year. */
static int solstice_month(const struct month *all, int year)
{
    int i = (int)floor((year - 2000) * 12.3685) - K_FIRST + 8; /* begins in the last months of the year, before it */
    while (sun_sector(all[i + 1].first_day) < 9)               /* 10 where the month holds the next term too */
        i++;
    return i;
}

static void make(void)
{
    static struct month all[MONTHS_MAX];
    for (int i = 0; i < MONTHS_MAX; i++)
        all[i].first_day = (int32_t)civil_day_of(new_moon(K_FIRST + i));
    int from = solstice_month(all, LUNAR_FIRST_YEAR - 1);
    for (int year = LUNAR_FIRST_YEAR; year <= LUNAR_LAST_YEAR + 1; year++) {
        int to = solstice_month(all, year);
        number_months(all, from, to, year - 1);
        from = to;
    }
    for (int i = 0; i < MONTHS_MAX; i++) {
        bool known = all[i].year >= LUNAR_FIRST_YEAR && all[i].year <= LUNAR_LAST_YEAR;
        bool behind = all[i].year == LUNAR_LAST_YEAR + 1 && all[i].month == 1 && !all[i].leap;
        if ((known || behind) && all[i].month == 1 && !all[i].leap)
            year_at[all[i].year - LUNAR_FIRST_YEAR] = n_months;
        if (known || behind)
            months[n_months++] = all[i];
    }
    n_months--;
}

/* The table, made once. */
static const struct month *table(void)
{
    pthread_once(&made, make);
    return months;
}

int64_t lunar_first_day(void)
{
    return table()[0].first_day;
}

int64_t lunar_last_day(void)
{
    const struct month *all = table();
    return all[n_months].first_day - 1;
}

int lunar_date(int64_t day, struct lunar_date *ret)
{
    const struct month *all = table();
    if (day < all[0].first_day || day >= all[n_months].first_day)
        return -ERANGE;
    /* Months are the mean one long, give or take less than one: the guess is beside the right one. */
    int i = (int)((double)(day - all[0].first_day) / SYNODIC_DAYS);
    while (i >= n_months || all[i].first_day > day)
        i--;
    while (all[i + 1].first_day <= day)
        i++;
    *ret = (struct lunar_date){
        .year = all[i].year,
        .month = all[i].month,
        .day = (int)(day - all[i].first_day) + 1,
        .leap = all[i].leap,
        .month_days = all[i + 1].first_day - all[i].first_day,
    };
    return 0;
}

int lunar_day(int year, int month, bool leap, int day, int64_t *ret_day)
{
    const struct month *all = table();
    if (year < LUNAR_FIRST_YEAR || year > LUNAR_LAST_YEAR)
        return -ERANGE;
    for (int i = year_at[year - LUNAR_FIRST_YEAR]; i < n_months && all[i].year == year; i++)
        if (all[i].month == month && all[i].leap == leap) {
            if (day < 1 || day > all[i + 1].first_day - all[i].first_day)
                return -ENOENT;
            *ret_day = all[i].first_day + day - 1;
            return 0;
        }
    return -ENOENT;
}

int lunar_leap_month(int year)
{
    const struct month *all = table();
    if (year < LUNAR_FIRST_YEAR || year > LUNAR_LAST_YEAR)
        return -ERANGE;
    for (int i = year_at[year - LUNAR_FIRST_YEAR]; i < n_months && all[i].year == year; i++)
        if (all[i].leap)
            return all[i].month;
    return 0;
}

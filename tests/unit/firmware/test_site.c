/* Configuration files: what is right is read, what is wrong is named with file and line. */
#include "unit.h"

#include "firmware/site.h"
#include "playlists/base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64], path[100];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/loa-site-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof(path), "%s/x.cfg", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

#define ROOT "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define GOOD                                                                                                           \
    "device = \"d-1\";\nserial = \"s\";\nvault = \"/v\";\nlink = \"/l\";\nroots = [\"" ROOT "\"];\nkey = \"/k\";\n"    \
    "spool = \"/w\";\n"
#define PROFILES LOA_SOURCE_DIR "/boards/profiles/"
#define BUS                                                                                                            \
    "sound = { device = \"loa\"; };\nbuses = ( { name = \"b\"; transport = \"tcp\"; host = \"127.0.0.1\"; } );\n"
#define AMP(more)                                                                                                      \
    "amplifiers = ( { name = \"a\"; bus = \"b\"; unit = 1; profile = \"" PROFILES "amplifier-sim-a100.cfg\"; " more    \
    "} );\n"

#define RTU                                                                                                            \
    "sound = { device = \"loa\"; };\nbuses = ( { name = \"b\"; transport = \"rtu\"; tty = \"/dev/ttyS0\"; baud = "     \
    "19200; "                                                                                                          \
    "parity = \"even\"; stop_bits = 2; } );\n"
#define MAINS                                                                                                          \
    RTU "relays = ( { name = \"r\"; bus = \"b\"; unit = 8; profile = \"" PROFILES "relay-sim-r8.cfg\"; } );\n"         \
        "meters = ( { name = \"m\"; bus = \"b\"; unit = 9; profile = \"" PROFILES "meter-sim-m1.cfg\"; } );\n"

static void write_text(const char *text)
{
    assert_int_equal(file_write_whole(path, text, strlen(text), 0600), 0);
}

static void reads_settings(void **state)
{
    (void)state;
    struct settings settings;
    struct complaint why = {0};
    write_text(GOOD "log = \"debug\";\n");
    assert_int_equal(settings_open(path, &settings, &why), 0);
    assert_string_equal(settings.device, "d-1");
    assert_string_equal(settings.roots[0], ROOT);
    assert_null(settings.roots[1]);
    assert_string_equal(settings.spool_dir, "/w");
    settings_done(&settings);
}

static void names_what_is_wrong_with_settings(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "'device' is missing"},
        {"device = \"A B\";", ":1: 'device' is \"A B\""},
        {GOOD "key = \"/k\";", ":8: duplicate setting name"},
        {"device = \"d\";\nserial = \"s\";\nvault = \"v\";\nlink = \"l\";\nkey = \"k\"; spool = \"w\";\nroots = [];\n",
         ":6: 'roots' is empty"},
        {"device = \"d\";\nserial = \"s\";\nvault = \"v\";\nlink = \"l\";\nkey = \"k\"; spool = \"w\";\nroots = "
         "[\"short\"];\n",
         ":6: 'roots' item 1 is no Ed25519 public key"},
        {GOOD "log = \"loud\";\n", ":8: 'log' is \"loud\", it must be one of: error, warning, info, debug"},
        {GOOD "vallt = \"/x\";\n", ":8: 'vallt' is not a setting that is known here"},
        {"device = \"d\";\nserial = \"s\";\nvault = \"v\";\nlink = \"l\";\nkey = \"k\";\nroots = [\"" ROOT "\"];\n",
         ": 'spool' is missing"},
        {"device = 7;", ":1: 'device' must be text"},
        {"device = ", ":1: "},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct settings settings;
        struct complaint why = {0};
        write_text(cases[i].text);
        assert_true(settings_open(path, &settings, &why) < 0);
        if (!strstr(why.text, cases[i].says))
            fail_msg("case %zu: \"%s\" does not say \"%s\"", i, why.text, cases[i].says);
        assert_non_null(strstr(why.text, "x.cfg"));
    }
}

static void reads_wiring(void **state)
{
    (void)state;
    struct site site;
    struct complaint why = {0};
    const char *unknown = NULL;
    write_text(
        BUS AMP("zones = [\"san\", \"cho\"]; ") "signs = ( { name = \"t\"; bus = \"b\"; unit = 2; profile = \"" PROFILES
                                                "sign-sim-t4.cfg\"; } );\n");
    int r = site_open(path, &site, &why);
    if (r < 0)
        fail_msg("%s", why.text);
    assert_int_equal(site.n_amplifiers, 1);
    assert_int_equal(site.n_signs, 1);
    const char *cho[] = {"cho"}, *both[] = {"nowhere", "san"}, *none[] = {"nowhere"};
    assert_int_equal(site_zone_mask(&site, cho, 1, &unknown), 2);
    assert_null(unknown);
    assert_int_equal(site_zone_mask(&site, both, 2, &unknown), 1);
    assert_string_equal(unknown, "nowhere");
    assert_int_equal(site_zone_mask(&site, none, 1, &unknown), SITE_ZONE_NONE);
    assert_int_equal(site_zone_mask(&site, NULL, 0, &unknown), 0);
    site_done(&site);
    write_text("");
    assert_int_equal(site_open(path, &site, &why), 0); /* a box without anything wired */
    site_done(&site);
}

static void reads_a_serial_bus_and_mains(void **state)
{
    (void)state;
    struct site site;
    struct complaint why = {0};
    write_text(MAINS AMP("mains = { relay = \"r\"; channel = 3; up_ms = 700; }; "
                         "meter = { name = \"m\"; off_w = 5; on_w = 12.5; }; "));
    if (site_open(path, &site, &why) < 0)
        fail_msg("%s", why.text);
    const struct bus_config *bus = &site.buses[0].config;
    assert_int_equal(bus->transport, BUS_RTU);
    assert_string_equal(bus->host, "/dev/ttyS0");
    assert_int_equal(bus->baud, 19200);
    assert_int_equal(bus->parity, 'E');
    assert_int_equal(bus->stop_bits, 2);
    const struct site_amplifier *amp = &site.amplifiers[0];
    assert_int_equal(amp->relay, 0);
    assert_int_equal(amp->channel, 3);
    assert_int_equal(amp->mains_up_ms, 700);
    assert_int_equal(amp->meter, 0);
    assert_true(amp->off_w == 5 && amp->on_w == 12.5);
    for (int channel = 1; channel <= PROFILE_ZONES_MAX; channel++) /* the others are somebody else's */
        assert_int_equal(site.relays[0].profile->zones[channel - 1] >= 0, channel == 3);
    site_done(&site);
    write_text(BUS AMP(""));
    assert_int_equal(site_open(path, &site, &why), 0);
    assert_int_equal(site.amplifiers[0].relay, -1);
    assert_int_equal(site.amplifiers[0].meter, -1);
    site_done(&site);
}

static void names_what_is_wrong_with_wiring(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"sound = { };", "'device' is missing"},
        {"sound = { device = \"x\"; rate = 7; };", "'rate' is 7"},
        {"buses = ( { name = \"b\"; transport = \"udp\"; } );", "one of: tcp, rtu"},
        {"buses = ( { name = \"b\"; transport = \"rtu\"; } );", "'tty'"},
        {"buses = ( { name = \"b\"; transport = \"rtu\"; tty = \"ttyS0\"; } );", "a full path"},
        {"buses = ( { name = \"b\"; transport = \"rtu\"; tty = \"/dev/ttyS0\"; baud = 9601; } );", "'baud' is 9601"},
        {"buses = ( { name = \"b\"; transport = \"rtu\"; tty = \"/dev/ttyS0\"; parity = \"mark\"; } );", "'parity'"},
        {"buses = ( { name = \"b\"; transport = \"rtu\"; tty = \"/dev/ttyS0\"; }, "
         "{ name = \"c\"; transport = \"rtu\"; tty = \"/dev/ttyS0\"; } );",
         "has this tty already"},
        {"buses = ( { name = \"b\"; transport = \"tcp\"; host = \"h\"; port = 99999; } );", "'port' is 99999"},
        {BUS "signs = ( { name = \"t\"; bus = \"c\"; unit = 1; profile = \"x\"; } );", "there is no such bus"},
        {BUS "signs = ( { name = \"t\"; bus = \"b\"; unit = 1; profile = \"/nowhere.cfg\"; } );", "/nowhere.cfg"},
        {BUS "signs = ( { name = \"t\"; bus = \"b\"; unit = 1; profile = \"" PROFILES "amplifier-sim-a100.cfg\"; } );",
         "is not one of a sign"},
        {BUS AMP("zones = [\"a\", \"b\", \"c\", \"d\", \"e\"]; "), "zone_5"},
        {BUS AMP("zones = [\"A b\"]; "), "zone \"A b\""},
        {BUS AMP("colour = 1; "), "'colour' is not a setting"},
        {MAINS AMP("mains = { relay = \"x\"; channel = 1; }; "), "no such relay board"},
        {MAINS AMP("mains = { relay = \"r\"; channel = 9; }; "), "'channel' is 9"},
        {MAINS AMP("mains = { relay = \"r\"; }; "), "'channel' is missing"},
        {MAINS AMP("meter = { name = \"r\"; off_w = 1; on_w = 2; }; "), "no such meter"},
        {MAINS AMP("meter = { name = \"m\"; off_w = 2; on_w = 2; }; "), "'on_w' must be more than 'off_w'"},
        {MAINS AMP("meter = { name = \"m\"; off_w = 2; }; "), "'on_w' is missing"},
        {BUS "relays = ( { name = \"r\"; bus = \"b\"; unit = 1; profile = \"" PROFILES "meter-sim-m1.cfg\"; } );",
         "is not one of a relay"},
        {"buses = ( { name = \"b\"; transport = \"rtu\"; tty = \"/dev/ttyS0\"; } );\n"
         "signs = ( { name = \"t\"; bus = \"b\"; unit = 248; profile = \"x\"; } );",
         "on a serial bus it must be 1 to 247"},
        {"buses = ( 1 );", "must be a group"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct site site;
        struct complaint why = {0};
        write_text(cases[i].text);
        assert_true(site_open(path, &site, &why) < 0);
        if (!strstr(why.text, cases[i].says))
            fail_msg("case %zu: \"%s\" does not say \"%s\"", i, why.text, cases[i].says);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {TEST(reads_settings), TEST(names_what_is_wrong_with_settings),
                                       TEST(reads_wiring), TEST(reads_a_serial_bus_and_mains),
                                       TEST(names_what_is_wrong_with_wiring)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

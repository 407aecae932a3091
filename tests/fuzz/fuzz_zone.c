/* fuzz_zone.c - any bytes as a TZif file: refused, or a zone whose answers agree with one another. */
#undef NDEBUG
#include "playlists/base/civil.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct zone *zone = NULL;
    struct complaint why = {{0}};
    if (zone_parse("zone", data, size, &zone, &why) < 0) {
        assert(why.text[0]);
        return 0;
    }
    for (int64_t at_s = -3000000000; at_s < 8000000000; at_s += 123456789) {
        int64_t days;
        int32_t second;
        zone_civil(zone, at_s, &days, &second);
        assert(second >= 0 && second < 86400);
        int fold;
        int64_t back_s = zone_instant_s(zone, days, second, &fold);
        assert(fold != 0 || back_s == at_s);
    }
    zone_free(zone);
    return 0;
}

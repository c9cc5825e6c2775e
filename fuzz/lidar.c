/* Can any constant stream of a lidar (TF-Luna, TFmini Plus) be read in two ways? All are tried.
 *
 *     cc -O2 -o lidar fuzz/lidar.c && ./lidar       (a quarter of an hour or so)
 *
 * Each distance of 0 to 1300 cm and the three codes, each strength, each temperature of -40 to
 * 125 degrees: 112,891,265,024 frames. A stream is ambiguous when, entered at another byte than
 * its first, it shows two header bytes, a right sum, and a distance and a temperature that can be.
 */
#include <stdint.h>
#include <stdio.h>

enum { HEADER = 0x59, LENGTH = 9, MOST_CM = 1300, COLDEST = (256 - 40) * 8, WARMEST = (256 + 125) * 8 };
static const int CODES[] = {65535, 65534, 65532};

static int can_be(int distance_cm, int temperature) {
    if (temperature < COLDEST || temperature > WARMEST) return 0;
    for (int i = 0; i < 3; i++)
        if (distance_cm == CODES[i]) return 1;
    return distance_cm <= MOST_CM;
}

/* Whether the frame in the first half of `twice` can also be read from its byte `at`. */
static int reads_at(const uint8_t *twice, int at) {
    const uint8_t *frame = twice + at;
    uint8_t sum = 0;
    if (frame[0] != HEADER || frame[1] != HEADER) return 0;
    for (int i = 0; i < LENGTH - 1; i++) sum += frame[i];
    if (sum != frame[LENGTH - 1]) return 0;
    return can_be(frame[2] | frame[3] << 8, frame[6] | frame[7] << 8);
}

int main(void) {
    unsigned long frames = 0, ambiguous = 0;
    for (int i = 0; i <= MOST_CM + 3; i++) {
        int distance_cm = i <= MOST_CM ? i : CODES[i - MOST_CM - 1];
        for (int strength = 0; strength < 65536; strength++) {
            uint8_t twice[2 * LENGTH] = {HEADER, HEADER, distance_cm, distance_cm >> 8,
                                         strength, strength >> 8};
            uint8_t half = 2 * HEADER + twice[2] + twice[3] + twice[4] + twice[5];
            for (int temperature = COLDEST; temperature <= WARMEST; temperature++, frames++) {
                twice[6] = temperature, twice[7] = temperature >> 8;
                twice[8] = half + twice[6] + twice[7];
                for (int j = 0; j < LENGTH; j++) twice[LENGTH + j] = twice[j];
                for (int at = 1; at < LENGTH; at++) ambiguous += reads_at(twice, at);
            }
        }
    }
    printf("%lu frames, %lu of them ambiguous\n", frames, ambiguous);
    return ambiguous != 0;
}

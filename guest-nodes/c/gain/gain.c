/* The node `gain`: scales audio by a gain in decibels. It does not clip; integer formats saturate when they are
 * written back. */
#include <math.h>

#include "remotemedia_node.h"

/* One component is one running node: its state may be static. */
static double gain_db;
static float factor;

static rm_status initialize(void) {
    factor = (float)pow(10, gain_db / 20);
    return RM_OK;
}

/* Packets have any length: results must not depend on how the stream was cut. */
static rm_status scale(rm_audio *audio) {
    size_t count = audio->frames * audio->channels;
    for (size_t i = 0; i < count; i++) audio->samples[i] *= factor;
    return RM_OK;
}

const rm_definition rm_node = {
    .type = "gain",
    .version = "0.1.0",
    .summary = "Scales audio by a gain in decibels.",
    /* What users see in `remotemedia node inspect`, and what is checked before `initialize` is called. */
    .params = (const rm_param[]){
        RM_NUMBER("gain_db", &gain_db, .minimum = -150, .maximum = 150,
                  .description = "Gain in dB: 0 changes nothing, 6.02 doubles the amplitude."),
        {0},
    },
    .stateless = true,
    .initialize = initialize,
    .audio = scale,
};

/* Who can speak: the aliases of settings and pack, then the voices themselves. */
#ifndef VX_SLOT_VOICES_H
#define VX_SLOT_VOICES_H

#include <jansson.h>

#include "config/paths.h"
#include "models/kokoro/voice.h"
#include "slot/speak.h"

/* One that can be asked for. */
typedef struct vx_voice_entry {
    const char *name;
    const char *of; /* what an alias stands for; NULL: a voice itself */
    bool british;
    char gender;  /* as vx_voice_gender */
    vx_path file; /* of its sample; "" without */
} vx_voice_entry;

typedef struct vx_voices {
    vx_voice_entry *voice;
    int count;
    char (*names)[VX_VOICE_NAME_MAX];
} vx_voices;

/* Needs no weights; views of settings and pack. vx_voices_free in any case. VX_ERR_MISSING without
 * speech in the pack. */
vx_status vx_voices_find(vx_voices *voices, const vx_settings *settings, const vx_pack *pack,
                         vx_error *err);
void vx_voices_free(vx_voices *voices);

/* "female", "male", or NULL where the name does not say. */
const char *vx_gender_name(char gender);

/* The document of `vortex voices --json` (docs/CONTRACTS.md); the caller decrefs. */
json_t *vx_voices_document(const vx_voices *voices, const vx_pack *pack);

#endif

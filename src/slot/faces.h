/* Faces in a picture: found, looked at closely, framed.
 *
 * The finder looks at the whole picture and at overlapping parts of half its size; where it finds
 * nothing, at the picture turned by right angles and at parts of a quarter. What it finds is looked
 * at by the mesh, upright and near, twice, as MediaPipe does from one frame to the next: the second
 * look says how sure it is, and where eyes, nose and mouth are. */
#ifndef VX_SLOT_FACES_H
#define VX_SLOT_FACES_H

#include "media/video.h"
#include "media/warp.h"
#include "slot/part.h"

enum { VX_FACES_MAX = 32 };

/* From the eyes to the mouth is a unit: brows, 0.4 above, to the chin, 1.95 below. */
#define VX_FRAME_EXTENT 2.35
#define VX_FRAME_MIDDLE 0.775
/* LivePortrait's crop (src/config/crop_config.py, scale and vy_ratio): so many times that extent,
 * moved up by that share of itself. */
#define VX_CROP_SCALE 2.3
#define VX_CROP_UP    0.125

/* In pixels of the picture; left and right are the picture's. */
typedef struct vx_found {
    double score;               /* 0..1 */
    double x, y, width, height; /* the upright square around brows, cheeks and chin: left, top */
    double left_eye[2], right_eye[2], nose[2], mouth[2];
    /* Upright along the line from the eyes to the mouth: the square around
     * brows, cheeks and chin. */
    vx_square frame;
} vx_found;

typedef struct vx_faces vx_faces;

/* Whether the pack has a finder, itself or from the pack `face`, and all its files; without one a
 * face is where it always was, and who asked for it is warned by vx_faces_absent. */
bool vx_faces_in(const vx_pack *pack);
void vx_faces_absent(const char *where);

/* The engine must have been opened with VX_WANT_FACE. */
vx_status vx_faces_open(vx_faces **faces, vx_engine *engine, vx_error *err);
void vx_faces_close(vx_faces **faces); /* safe on NULL; sets NULL */

/* Those that score at least the settings' face.score, the largest first; they stay until the next
 * call. The lane is as before. */
vx_status vx_faces_seek(vx_faces *faces, vx_ctx *ctx, const vx_picture *picture,
                        const vx_found **found, int *count);
/* Number `index` of them. VX_ERR_INPUT, code "no_face", when there are fewer: `name` is the
 * picture, width and height its sides as they are told. */
vx_status vx_faces_choose(vx_faces *faces, vx_ctx *ctx, const vx_picture *picture, int64_t index,
                          const char *name, int width, int height, vx_found *found);

/* What LivePortrait crops for a face. `whole_picture`: for a network that was trained on
 * whole pictures of the toon engine's framing. */
vx_square vx_found_crop(const vx_found *found, bool whole_picture);

/* One square for a film of a face: the mean of those of its frames, not turned (LivePortrait,
 * crop_driving_video). Goes through the film and back to its first frame. *there: in some frame was
 * a face. */
vx_status vx_faces_film(vx_faces *faces, vx_ctx *ctx, vx_video *video, bool whole_picture,
                        vx_square *square, bool *there);

#endif

/* vortex face: where the faces of a picture are. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/json_out.h"
#include "slot/animate.h"
#include "slot/faces.h"

typedef struct face_params {
    const char *background;
} face_params;

/* The picture, and what it measured before it was reduced. */
typedef struct subject {
    vx_picture picture;
    int width, height;
} subject;

static vx_status read_subject(const vx_cli *cli, const face_params *p, subject *s, vx_error *err)
{
    uint8_t background[3];
    vx_image_reading reading = {
        .cancel = cli->cancel, .background = background, .side_max = VX_FILM_SIDE_MAX};
    VX_TRY(vx_cli_colour(p->background, background, err));
    VX_TRY(vx_image_read(&s->picture, cli->words[0], &reading, err));
    s->width = reading.width;
    s->height = reading.height;
    return VX_OK;
}

/* In pixels of the original. */
static json_t *point_json(const double at[2], double x, double y)
{
    return json_pack("[f, f]", at[0] * x, at[1] * y);
}

static json_t *found_json(const subject *s, const vx_found *f, int index)
{
    double x = (double)s->width / s->picture.width, y = (double)s->height / s->picture.height;
    return json_pack("{s:i, s:f, s:{s:f, s:f, s:f, s:f}, s:f, s:o, s:o, s:o, s:o}", "index", index,
                     "score", f->score, "box", "x", f->x * x, "y", f->y * y, "width", f->width * x,
                     "height", f->height * y, "angle", vx_square_angle(&f->frame), "image_left_eye",
                     point_json(f->left_eye, x, y), "image_right_eye",
                     point_json(f->right_eye, x, y), "nose", point_json(f->nose, x, y), "mouth",
                     point_json(f->mouth, x, y));
}

static vx_status print_json(const subject *s, const vx_found *found, int count, vx_error *err)
{
    json_t *faces = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(faces, found_json(s, &found[i], i));
    return vx_json_print(
        json_pack("{s:i, s:i, s:o}", "width", s->width, "height", s->height, "faces", faces), err);
}

static void print_table(const subject *s, const vx_found *found, int count)
{
    double x = (double)s->width / s->picture.width, y = (double)s->height / s->picture.height;
    printf("%5s %6s %6s  %-21s  %s\n", "index", "score", "angle", "box", "--face");
    for (int i = 0; i < count; i++) {
        const vx_found *f = &found[i];
        char box[64];
        snprintf(box, sizeof box, "%.0fx%.0f at %.0f,%.0f", f->width * x, f->height * y, f->x * x,
                 f->y * y);
        printf("%5d %6.2f %6.1f  %-21s  %.0f,%.0f,%.0f,%.0f,%.0f,%.0f\n", i, f->score,
               vx_square_angle(&f->frame), box, f->left_eye[0] * x, f->left_eye[1] * y,
               f->right_eye[0] * x, f->right_eye[1] * y, f->mouth[0] * x, f->mouth[1] * y);
    }
}

static vx_status seek(vx_cli *cli, const subject *s, vx_engine *engine, vx_error *err)
{
    vx_faces *faces;
    const vx_found *found;
    int count;
    vx_ctx ctx = vx_engine_ctx(engine, VX_LANE_PICTURE, cli->cancel, err);
    VX_TRY(vx_faces_open(&faces, engine, err));
    vx_status status = vx_faces_seek(faces, &ctx, &s->picture, &found, &count);
    if (status == VX_OK && count == 0)
        status = vx_fail_at(err, VX_ERR_INPUT, "no_face", cli->words[0], 0,
                            "no face was found in %s (%dx%d); face.score of the settings is how "
                            "sure it must be",
                            cli->words[0], s->width, s->height);
    if (status == VX_OK && cli->json)
        status = print_json(s, found, count, err);
    else if (status == VX_OK)
        print_table(s, found, count);
    vx_faces_close(&faces);
    return status;
}

static vx_status run_face(vx_cli *cli, void *raw, vx_error *err)
{
    subject s = {0};
    vx_pack pack = {0};
    vx_engine *engine = NULL;
    vx_status status = read_subject(cli, raw, &s, err);
    const char *name = cli->pack;
    if (status == VX_OK) status = vx_pack_open(&pack, name != NULL ? name : "face", err);
    vx_engine_params params = {VX_OUR_PARTS, .settings = &cli->settings, .pack = &pack,
                               .wants = VX_WANT_FACE, .cancel = cli->cancel};
    if (status == VX_OK) status = vx_engine_open(&engine, &params, err);
    if (status == VX_OK) status = seek(cli, &s, engine, err);
    vx_engine_close(&engine);
    vx_pack_close(&pack);
    vx_image_free(&s.picture);
    return status;
}

static const vx_flag flags[] = {
    VX_FLAG("background", 0, "#rrggbb", face_params, background, WORD,
            "what shows through transparency; else #ffffff"),
    VX_FLAGS_END,
};

const vx_command vx_command_face = {
    .name = "face",
    .usage = "IMAGE",
    .summary = "where the faces of a picture are",
    .details = "Boxes, eyes, nose and mouth in pixels of the upright picture, the largest face "
               "first, which is\n"
               "--face-index 0 of animate. The last column can be given to --face.",
    .flags = flags,
    .params_bytes = sizeof(face_params),
    .words_min = 1,
    .words_max = 1,
    .word = {{VX_USE_IN, "the picture"}},
    .run = run_face,
};

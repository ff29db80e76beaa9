/* Where Vortex's files lie on this machine.
 *
 *     $XDG_DATA_HOME/vortex    packs/ models/ lexicon/    (XDG_DATA_HOME: ~/.local/share)
 *     $XDG_CONFIG_HOME/vortex  vortex.yaml                (XDG_CONFIG_HOME: ~/.config)
 *     PREFIX/share/vortex      packs/                     (PREFIX: where the program itself lies)
 *     $XDG_STATE_HOME/vortex   results/                   (XDG_STATE_HOME: ~/.local/state)
 *
 * As the XDG base directory specification says, a variable that is not an absolute path counts as
 * unset. */
#ifndef VX_CONFIG_PATHS_H
#define VX_CONFIG_PATHS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* A path with room for itself. */
typedef struct vx_path {
    char text[PATH_MAX];
} vx_path;

/* folder/name, or name alone when it is absolute or the folder is empty; false when it is too
 * long, and then *out is "". */
bool vx_path_join(vx_path *out, const char *folder, const char *name);
/* The folder that a file lies in, "." for a bare name. `file` may be *out itself. */
void vx_path_folder(vx_path *out, const char *file);
/* The part after the last slash. */
const char *vx_path_base(const char *path);

/* $XDG_DATA_HOME/vortex/name ("" for the folder itself); false when no home is known. */
bool vx_path_data(vx_path *out, const char *name);
/* $XDG_CONFIG_HOME/vortex/name. */
bool vx_path_config(vx_path *out, const char *name);
/* `name` in folder `index` of those that may hold it: the user's, those beside the program or
 * library that this code is part of, the configured installation's, the source tree's. *out is ""
 * where there is no such folder; false past the last. */
bool vx_path_shared(int index, const char *name, vx_path *out);
/* $XDG_STATE_HOME/vortex/name. */
bool vx_path_state(vx_path *out, const char *name);

bool vx_path_is_file(const char *path);
bool vx_path_is_folder(const char *path);

#endif

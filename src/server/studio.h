/* The studio: pages for people, compiled in from the folder studio/ (cmake/studio.cmake). */
#ifndef VX_SERVER_STUDIO_H
#define VX_SERVER_STUDIO_H

typedef struct vx_studio_file {
    const char *name, *text;
} vx_studio_file;
/* All of them, ended by one without a name. */
extern const vx_studio_file vx_studio_files[];

#endif

#include "config/paths.h"

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool fits(vx_path *out, int length)
{
    if (length >= 0 && (size_t)length < sizeof out->text) return true;
    out->text[0] = '\0';
    return false;
}

bool vx_path_join(vx_path *out, const char *folder, const char *name)
{
    if (name[0] == '/' || folder[0] == '\0')
        return fits(out, snprintf(out->text, sizeof out->text, "%s", name));
    if (name[0] == '\0') return fits(out, snprintf(out->text, sizeof out->text, "%s", folder));
    const char *slash = folder[strlen(folder) - 1] == '/' ? "" : "/";
    return fits(out, snprintf(out->text, sizeof out->text, "%s%s%s", folder, slash, name));
}

void vx_path_folder(vx_path *out, const char *file)
{
    const char *slash = strrchr(file, '/');
    size_t length = slash == NULL ? 0 : slash == file ? 1 : (size_t)(slash - file);
    if (slash == NULL || length >= sizeof out->text)
        strcpy(out->text, ".");
    else {
        memmove(out->text, file, length);
        out->text[length] = '\0';
    }
}

const char *vx_path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static bool xdg(vx_path *out, const char *variable, const char *under_home, const char *name)
{
    const char *base = getenv(variable), *home = getenv("HOME");
    vx_path root, own;
    if (base != NULL && base[0] == '/') {
        if (!vx_path_join(&root, base, "vortex")) return fits(out, -1);
    } else {
        if (home == NULL || home[0] != '/' || !vx_path_join(&own, home, under_home) ||
            !vx_path_join(&root, own.text, "vortex"))
            return fits(out, -1);
    }
    return vx_path_join(out, root.text, name);
}

bool vx_path_data(vx_path *out, const char *name)
{
    return xdg(out, "XDG_DATA_HOME", ".local/share", name);
}

bool vx_path_config(vx_path *out, const char *name)
{
    return xdg(out, "XDG_CONFIG_HOME", ".config", name);
}

bool vx_path_state(vx_path *out, const char *name)
{
    return xdg(out, "XDG_STATE_HOME", ".local/state", name);
}

/* The file that this code was loaded from: the library, or the program that is linked with it. */
static bool own_file(vx_path *out)
{
    Dl_info info;
    struct link_map *object;
    const char *name = "/proc/self/exe"; /* the program's link map has no name */
    if (dladdr1((void *)own_file, &info, (void **)&object, RTLD_DL_LINKMAP) == 0) return false;
    if (object != NULL && object->l_name != NULL && object->l_name[0] != '\0')
        name = object->l_name;
    return realpath(name, out->text) != NULL;
}

static void beside(vx_path *out, const char *way, const char *name)
{
    vx_path file, folder, there;
    out->text[0] = '\0';
    if (!own_file(&file)) return;
    vx_path_folder(&folder, file.text);
    if (vx_path_join(&there, folder.text, way) && vx_path_join(&folder, there.text, name) &&
        realpath(folder.text, out->text) == NULL)
        out->text[0] = '\0';
}

bool vx_path_shared(int index, const char *name, vx_path *out)
{
    static const char *const ways[] = {VX_DATA_FROM_BIN, VX_DATA_FROM_LIB};
    out->text[0] = '\0';
    switch (index) {
    case 0:
        vx_path_data(out, name);
        break;
    case 1:
    case 2:
        beside(out, ways[index - 1], name);
        break;
    case 3:
        vx_path_join(out, VX_INSTALL_DATADIR, name);
        break;
    case 4:
        if (VX_SOURCE_DIR[0] != '\0') vx_path_join(out, VX_SOURCE_DIR, name);
        break;
    default:
        return false;
    }
    return true;
}

bool vx_path_is_file(const char *path)
{
    struct stat info;
    return path[0] != '\0' && stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

bool vx_path_is_folder(const char *path)
{
    struct stat info;
    return path[0] != '\0' && stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

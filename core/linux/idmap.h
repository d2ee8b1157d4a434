/* ID mappings of user namespaces: parsed, checked, written, read back. user_namespaces(7).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/text.h"

/* The kernel's limit on lines of a uid_map (UID_GID_MAP_MAX_EXTENTS, Linux 4.15). */
#define IDMAP_EXTENTS_MAX 340

struct id_range {
    uint32_t container; /* first id inside the user namespace */
    uint32_t host;      /* first id outside, in the parent user namespace */
    uint32_t size;      /* number of ids, at least 1 */
};

/* One map: an owned array, in the order given. */
struct idmap {
    struct id_range *ranges;
    size_t count;
};

/* Both maps of a user namespace. */
struct idmaps {
    struct idmap uid;
    struct idmap gid;
};

void idmap_free(struct idmap *map);
void idmaps_free(struct idmaps *maps);

/* Append one range; checks bounds: the last id of either side is at most ID_MAX (the kernel would
 * truncate 4294967296 to 0, which is root). what: "uid map", for messages.
 * Returns 0 or a negative errno (recorded). */
int idmap_add(struct idmap *map, const char *what, uint64_t container, uint64_t host,
              uint64_t size);

/* Append the ranges of "CONTAINER:HOST:SIZE[,...]". Returns 0 or a negative errno (recorded). */
int idmap_parse(struct idmap *map, const char *what, const char *text);

/* What can only be checked of a whole map: not empty, at most IDMAP_EXTENTS_MAX ranges, no overlap
 * on either side. Returns 0 or a negative errno (recorded). */
int idmap_check(const struct idmap *map, const char *what);

/* The maps by a word: "auto" (0 to the caller, then the subordinate ids of the caller by name and
 * by uid, all ranges added up), "root" (0 to the caller), "current" (the caller's id to itself),
 * "subids" (identity map of the subordinate ranges, for nesting), "identity" is not a word.
 * The caller is the real uid and gid. Returns 0 or a negative errno (recorded). */
int idmaps_by_word(struct idmaps *maps, const char *word);

/* Append the subordinate ids that a table (/etc/subuid, /etc/subgid) gives the caller, by name and
 * by number, with container ids from `next` on. Returns 0 or a negative errno (recorded). */
int idmap_add_subordinates(struct idmap *map, const char *path, uint64_t next);

/* The name of the real uid as /etc/passwd has it, or its number where that has none.
 * Returns 0 or a negative errno (recorded; the number stands in name even so). */
int idmap_caller_name(char *name, size_t size);

/* The maps of the repeated options --uid-map, --gid-map and of --map, checked whole; both or
 * neither of uid and gid must be given. Without any option the maps stay empty. Returns 0 or a
 * negative errno (recorded). */
int idmaps_by_options(struct idmaps *maps, const struct text_list *uid, const struct text_list *gid,
                      const char *word);

/* The container id that maps to this host id, or the other way round. Returns 0 or -ENOENT (not
 * recorded). */
int idmap_to_host(const struct idmap *map, uint32_t container, uint32_t *host);
int idmap_to_container(const struct idmap *map, uint32_t host, uint32_t *container);

/* Give the user namespace of process pid (a child that has just been created in it) its maps. One
 * write each; setgroups is denied first when the kernel demands it; newuidmap and newgidmap are run
 * only where the kernel would refuse the write. Both maps are read back and compared.
 * proc: a descriptor of /proc. Returns 0 or a negative errno (recorded). */
int idmaps_write(int proc, pid_t pid, const struct idmaps *maps);

/* ID mappings of user namespaces: parsed, checked, written, read back. user_namespaces(7).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
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

/* Both maps of a user namespace. One that is empty is not written. */
struct idmaps {
    struct idmap uid;
    struct idmap gid;
    bool deny_setgroups; /* give setgroups(2) up for good, also where the kernel does not ask for it
                          */
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

/* Put ranges in the order of their container ids. */
void id_ranges_sort(struct id_range *ranges, size_t count);

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

/* Append the subordinate ids of the caller, from container id 0 on, or to themselves. None at all
 * is an error. Returns 0 or a negative errno (recorded). */
int idmap_add_subids(struct idmap *map, bool groups, bool identity);

/* The maps of the repeated options --uid-map, --gid-map and of --map, checked whole; both or
 * neither of uid and gid must be given. Without any option the maps stay empty. Returns 0 or a
 * negative errno (recorded). */
int idmaps_by_options(struct idmaps *maps, const struct text_list *uid, const struct text_list *gid,
                      const char *word);

/* The same with --both, one map for uids and gids, which excludes the others. */
int idmaps_by_lists(struct idmaps *maps, const struct text_list *uid, const struct text_list *gid,
                    const struct text_list *both, const char *word);

/* The container id that maps to this host id, or the other way round. Returns 0 or -ENOENT (not
 * recorded). */
int idmap_to_host(const struct idmap *map, uint32_t container, uint32_t *host);
int idmap_to_container(const struct idmap *map, uint32_t host, uint32_t *container);

/* Are the caller's effective ids among the host ids? */
bool idmaps_have_caller(const struct idmaps *maps);

/* Give the user namespace of process pid (a child that has just been created in it) its maps. One
 * write each; setgroups is denied first when the kernel demands it; newuidmap and newgidmap are run
 * only where the kernel would refuse the write. Both maps are read back and compared.
 * proc: a descriptor of /proc. Returns 0 or a negative errno (recorded). */
int idmaps_write(int proc, pid_t pid, const struct idmaps *maps);

/* Is each map empty, or the caller's own effective id alone? That much the kernel lets everybody
 * map, from inside of the new user namespace too. */
bool idmaps_are_own(const struct idmaps *maps);

/* Write such maps for this process, which has just entered a new user namespace of its own. Returns
 * 0 or a negative errno (recorded). */
int idmaps_write_own(int proc, const struct idmaps *maps);

/* Make room for one id: `container` maps to `host`, and ranges that have `container` inside are
 * split around it, their later host ids moving up by one, as unshare(1) does. A host id that is
 * mapped already stays an overlap for idmap_check(). Returns 0 or a negative errno (recorded). */
int idmap_insert(struct idmap *map, const char *what, uint32_t container, uint32_t host);

// The shared memory of a write-ahead log: the connections to one file share it, and it is gone once no process has it,
// so after a kill or a cut the next one begins with none and reads the log again.
#include "disk.h"
#include <sqlite3.h>
#include <stdlib.h>

struct shared_memory {
    int refs;
    void **regions;
    int region_count;
    // For each of SQLite's locks: how many have it shared, or -1 where one has it alone.
    int locks[SQLITE_SHM_NLOCK];
};

static shared_memory *join(inode *node) {
    if (!node->shm) node->shm = calloc(1, sizeof *node->shm);
    if (node->shm) node->shm->refs++;
    return node->shm;
}

int kenh_shm_map(inode *node, shm_link *link, int region, int size, int extend, void volatile **memory) {
    *memory = NULL;
    if (!link->memory && !(link->memory = join(node))) return SQLITE_NOMEM;
    shared_memory *shm = link->memory;
    while (shm->region_count <= region) {
        if (!extend) return SQLITE_OK;
        void **regions = realloc(shm->regions, (size_t)(shm->region_count + 1) * sizeof *regions);
        if (!regions) return SQLITE_NOMEM;
        shm->regions = regions;
        if (!(regions[shm->region_count] = calloc(1, (size_t)size))) return SQLITE_NOMEM;
        shm->region_count++;
    }
    *memory = shm->regions[region];
    return SQLITE_OK;
}

static void unlock(shm_link *link, int offset) {
    unsigned bit = 1u << offset;
    int *lock = &link->memory->locks[offset];
    if (link->alone & bit) *lock = 0;
    if (link->shared & bit) --*lock;
    link->alone &= ~bit;
    link->shared &= ~bit;
}

int kenh_shm_lock(shm_link *link, int offset, int count, int flags) {
    if (!link->memory) return SQLITE_IOERR_SHMLOCK;
    int is_alone = flags & SQLITE_SHM_EXCLUSIVE;
    for (int i = offset; !(flags & SQLITE_SHM_UNLOCK) && i < offset + count; i++) {
        int others = link->memory->locks[i] - ((link->shared >> i) & 1);
        int has = (link->alone >> i) & 1;
        if (!has && (others < 0 || (is_alone && others > 0))) return SQLITE_BUSY;
    }
    for (int i = offset; i < offset + count; i++) {
        unsigned bit = 1u << i;
        if (flags & SQLITE_SHM_UNLOCK) {
            unlock(link, i);
        } else if (is_alone) {
            link->shared &= ~bit;
            link->alone |= bit;
            link->memory->locks[i] = -1;
        } else if (!((link->shared | link->alone) & bit)) {
            link->shared |= bit;
            link->memory->locks[i]++;
        }
    }
    return SQLITE_OK;
}

// Memory that a dead process still has mapped stays until it lets go of it.
void kenh_shm_leave(inode *node, shm_link *link) {
    shared_memory *shm = link->memory;
    if (!shm) return;
    for (int i = 0; i < SQLITE_SHM_NLOCK; i++) unlock(link, i);
    link->memory = NULL;
    if (--shm->refs > 0) return;
    if (node->shm == shm) node->shm = NULL;
    for (int i = 0; i < shm->region_count; i++) free(shm->regions[i]);
    free(shm->regions);
    free(shm);
}

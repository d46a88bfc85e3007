// Disks by name, the names on them, and the fault that waits.
#include "disk.h"
#include <stdlib.h>
#include <string.h>

pthread_mutex_t kenh_disks_lock = PTHREAD_MUTEX_INITIALIZER;
kenh_disk *kenh_disks;

// SplitMix64 (Steele, Lea and Flood, 2014).
uint64_t kenh_draw(kenh_disk *disk) {
    uint64_t z = disk->random += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

int64_t kenh_draw_below(kenh_disk *disk, int64_t bound) {
    return bound > 0 ? (int64_t)(kenh_draw(disk) % (uint64_t)bound) : 0;
}

// MARK: names

entry *kenh_entry(kenh_disk *disk, const char *name, int create) {
    for (entry *e = disk->entries; e; e = e->next) {
        if (strcmp(e->name, name) == 0) return e;
    }
    if (!create) return NULL;
    entry *e = calloc(1, sizeof *e);
    char *copy = strdup(name);
    inode **versions = calloc(4, sizeof *versions);
    if (!e || !copy || !versions) {
        free(e);
        free(copy);
        free(versions);
        return NULL;
    }
    *e = (entry){.next = disk->entries, .name = copy, .versions = versions, .count = 1, .room = 4};
    disk->entries = e;
    return e;
}

inode *kenh_entry_now(const entry *e) { return e ? e->versions[e->count - 1] : NULL; }

// Takes over the caller's reference.
int kenh_entry_set(entry *e, inode *node) {
    if (e->count == e->room) {
        inode **versions = realloc(e->versions, (size_t)e->room * 2 * sizeof *versions);
        if (!versions) return 0;
        e->versions = versions;
        e->room *= 2;
    }
    e->versions[e->count++] = node;
    return 1;
}

void kenh_entry_sync(entry *e) {
    for (int i = 0; i + 1 < e->count; i++) kenh_inode_drop(e->versions[i]);
    e->versions[0] = e->versions[e->count - 1];
    e->count = 1;
}

void kenh_folder_sync(kenh_disk *disk) {
    if (disk->lies & KENH_LIE_FOLDER) return;
    for (entry *e = disk->entries; e; e = e->next) kenh_entry_sync(e);
}

static void drop_entries(kenh_disk *disk) {
    while (disk->entries) {
        entry *e = disk->entries;
        disk->entries = e->next;
        for (int i = 0; i < e->count; i++) kenh_inode_drop(e->versions[i]);
        free(e->versions);
        free(e->name);
        free(e);
    }
}

// MARK: disks

kenh_disk *kenh_disk_create(const char *name, uint64_t seed, int sector_bytes) {
    kenh_disk *disk = calloc(1, sizeof *disk);
    char *copy = strdup(name);
    if (!disk || !copy || sector_bytes < 1) {
        free(disk);
        free(copy);
        return NULL;
    }
    *disk = (kenh_disk){.name = copy, .refs = 1, .random = seed, .sector_bytes = sector_bytes, .limit = -1};
    pthread_mutex_init(&disk->lock, NULL);
    pthread_mutex_lock(&kenh_disks_lock);
    kenh_disk *same = kenh_disks;
    while (same && strcmp(same->name, name) != 0) same = same->next;
    if (!same) {
        disk->next = kenh_disks;
        kenh_disks = disk;
    }
    pthread_mutex_unlock(&kenh_disks_lock);
    if (!same) return disk;
    kenh_disk_drop(disk);
    return NULL;
}

void kenh_disk_release(kenh_disk *disk) { kenh_disk_drop(disk); }

void kenh_disk_drop(kenh_disk *disk) {
    pthread_mutex_lock(&kenh_disks_lock);
    pthread_mutex_lock(&disk->lock);
    int refs = --disk->refs;
    pthread_mutex_unlock(&disk->lock);
    if (refs == 0) {
        kenh_disk **at = &kenh_disks;
        while (*at && *at != disk) at = &(*at)->next;
        if (*at) *at = disk->next;
    }
    pthread_mutex_unlock(&kenh_disks_lock);
    if (refs > 0) return;
    drop_entries(disk);
    pthread_mutex_destroy(&disk->lock);
    free(disk->name);
    free(disk);
}

// MARK: faults

enum kenh_fault kenh_disk_meet(kenh_disk *disk, enum kenh_io kind) {
    disk->counts[kind]++;
    if (disk->fault == KENH_FAULT_NONE || !(disk->mask >> kind & 1)) return KENH_FAULT_NONE;
    if (disk->left > 1) {
        disk->left--;
        return KENH_FAULT_NONE;
    }
    enum kenh_fault fault = disk->fault;
    if (--disk->times < 1) disk->fault = KENH_FAULT_NONE;
    if (fault == KENH_FAULT_FAIL) disk->tally.failures++;
    if (fault == KENH_FAULT_FULL) disk->tally.refusals++;
    return fault;
}

#define LOCKED(disk, body)               \
    pthread_mutex_lock(&(disk)->lock);   \
    body;                                \
    pthread_mutex_unlock(&(disk)->lock);

void kenh_disk_seed(kenh_disk *disk, uint64_t seed) { LOCKED(disk, disk->random = seed) }

void kenh_disk_arm(kenh_disk *disk, uint32_t mask, int64_t after, enum kenh_fault fault, int64_t times) {
    LOCKED(disk, disk->mask = mask; disk->left = after; disk->fault = fault; disk->times = times)
}

int64_t kenh_disk_armed(kenh_disk *disk) {
    int64_t left;
    LOCKED(disk, left = disk->fault == KENH_FAULT_NONE ? 0 : disk->left)
    return left;
}

void kenh_disk_disarm(kenh_disk *disk) { LOCKED(disk, disk->fault = KENH_FAULT_NONE) }

void kenh_disk_set_lies(kenh_disk *disk, uint32_t lies) { LOCKED(disk, disk->lies = lies) }

void kenh_disk_set_limit(kenh_disk *disk, int64_t bytes) { LOCKED(disk, disk->limit = bytes) }

void kenh_disk_kill(kenh_disk *disk) { LOCKED(disk, kenh_disk_end(disk, KENH_FAULT_KILL)) }

void kenh_disk_cut(kenh_disk *disk) { LOCKED(disk, kenh_disk_end(disk, KENH_FAULT_CUT)) }

int kenh_disk_is_down(kenh_disk *disk) {
    int is_down;
    LOCKED(disk, is_down = disk->is_down)
    return is_down;
}

void kenh_disk_start(kenh_disk *disk) { LOCKED(disk, disk->is_down = 0) }

int64_t kenh_disk_used_locked(kenh_disk *disk) {
    int64_t used = 0;
    for (entry *e = disk->entries; e; e = e->next) {
        inode *node = kenh_entry_now(e);
        if (node) used += node->now.size;
    }
    return used;
}

int64_t kenh_disk_used(kenh_disk *disk) {
    int64_t used;
    LOCKED(disk, used = kenh_disk_used_locked(disk))
    return used;
}

static int contains(const buffer *b, const uint8_t *bytes, int64_t size) {
    for (int64_t at = 0; size > 0 && at + size <= b->size; at++) {
        const uint8_t *found = memchr(b->bytes + at, bytes[0], (size_t)(b->size - size - at + 1));
        if (!found) return 0;
        at = found - (const uint8_t *)b->bytes;
        if (memcmp(found, bytes, (size_t)size) == 0) return 1;
    }
    return 0;
}

static const char *holder_locked(kenh_disk *disk, const void *bytes, int64_t size) {
    for (entry *e = disk->entries; e; e = e->next) {
        inode *node = kenh_entry_now(e);
        if (node && contains(&node->now, bytes, size)) return e->name;
    }
    return NULL;
}

const char *kenh_disk_holder(kenh_disk *disk, const void *bytes, int64_t size) {
    const char *found;
    LOCKED(disk, found = holder_locked(disk, bytes, size))
    return found;
}

int64_t kenh_disk_count(kenh_disk *disk, enum kenh_io kind) {
    int64_t count;
    LOCKED(disk, count = kind < KENH_IO_KINDS ? disk->counts[kind] : 0)
    return count;
}

kenh_disk_tally kenh_disk_tallied(kenh_disk *disk) {
    kenh_disk_tally tally;
    LOCKED(disk, tally = disk->tally)
    return tally;
}

// MARK: copies

static inode *synced_copy(const inode *node) {
    inode *copy = kenh_inode_create();
    if (!copy) return NULL;
    kenh_buffer_write(&copy->now, 0, node->now.bytes, node->now.size);
    kenh_buffer_write(&copy->synced, 0, node->now.bytes, node->now.size);
    return copy;
}

// The files as they lie, in a list of their own, so that no two disks are locked at once.
static entry *copied_entries(kenh_disk *source) {
    kenh_disk list = {0};
    pthread_mutex_lock(&source->lock);
    for (entry *e = source->entries; e; e = e->next) {
        inode *node = kenh_entry_now(e);
        entry *copy = node ? kenh_entry(&list, e->name, 1) : NULL;
        if (copy) copy->versions[0] = synced_copy(node);
    }
    pthread_mutex_unlock(&source->lock);
    return list.entries;
}

void kenh_disk_replace(kenh_disk *disk, kenh_disk *source) {
    entry *entries = source ? copied_entries(source) : NULL;
    pthread_mutex_lock(&disk->lock);
    drop_entries(disk);
    disk->entries = entries;
    disk->generation++;
    pthread_mutex_unlock(&disk->lock);
}

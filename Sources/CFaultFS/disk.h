// What the parts of this module share. A disk's lock is held around all that is here.
#pragma once

#include "CFaultFS.h"
#include <pthread.h>
#include <stddef.h>

typedef struct {
    uint8_t *bytes;
    int64_t size, room;
} buffer;

// A write or a truncation that is not synced yet.
typedef struct {
    int64_t offset;
    int64_t size;
    // NULL for a truncation to `offset`.
    uint8_t *bytes;
} unsynced_op;

typedef struct shared_memory shared_memory;

// A connection's part in the shared memory of a write-ahead log, and the locks that it has there, a bit for each.
typedef struct {
    shared_memory *memory;
    unsigned shared, alone;
} shm_link;

typedef struct inode {
    int refs;
    buffer now, synced;
    unsynced_op *ops;
    int op_count, op_room;
    // SQLite's locks: the highest that somebody has, and how many have at least SHARED.
    int lock, shared;
    // Of those that are alive; NULL where nobody has it.
    shared_memory *shm;
} inode;

// A name, what it leads to (NULL: nothing), and what it led to since its folder was synced, the synced state first.
typedef struct entry {
    struct entry *next;
    char *name;
    inode **versions;
    int count, room;
} entry;

struct kenh_disk {
    struct kenh_disk *next;
    char *name;
    pthread_mutex_t lock;
    // The owner and every open file.
    int refs;
    entry *entries;
    uint64_t random;
    int sector_bytes;
    int64_t limit;
    uint32_t lies;
    int is_down;
    // What was opened before the last kill or cut fails.
    int64_t generation;
    uint32_t mask;
    int64_t left, times;
    enum kenh_fault fault;
    int64_t counts[KENH_IO_KINDS];
    kenh_disk_tally tally;
};

extern pthread_mutex_t kenh_disks_lock;
extern kenh_disk *kenh_disks;

void kenh_disk_drop(kenh_disk *disk);

uint64_t kenh_draw(kenh_disk *disk);
int64_t kenh_draw_below(kenh_disk *disk, int64_t bound);

// Buffers keep bytes beyond their size zeroed. 0 where there is no memory.
int kenh_buffer_write(buffer *b, int64_t offset, const void *bytes, int64_t size);
int kenh_buffer_resize(buffer *b, int64_t size);

entry *kenh_entry(kenh_disk *disk, const char *name, int create);
inode *kenh_entry_now(const entry *e);
int kenh_entry_set(entry *e, inode *node);
void kenh_entry_sync(entry *e);
void kenh_folder_sync(kenh_disk *disk);

inode *kenh_inode_create(void);
void kenh_inode_drop(inode *node);
int kenh_inode_write(inode *node, int64_t offset, const void *bytes, int64_t size);
int kenh_inode_truncate(inode *node, int64_t size);
void kenh_inode_sync(inode *node);

// SQLite's codes; `memory` gets NULL where the region is not there and is not to be made.
int kenh_shm_map(inode *node, shm_link *link, int region, int size, int extend, void volatile **memory);
int kenh_shm_lock(shm_link *link, int offset, int count, int flags);
void kenh_shm_leave(inode *node, shm_link *link);

// Counts an I/O and says which fault it meets; kills and cuts are left to the caller, who knows how far it got.
enum kenh_fault kenh_disk_meet(kenh_disk *disk, enum kenh_io kind);
void kenh_disk_end(kenh_disk *disk, enum kenh_fault fault);
int64_t kenh_disk_used_locked(kenh_disk *disk);

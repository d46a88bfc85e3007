// Disks in memory for SQLite, with power cuts, failing I/O and a size: what lies below /kenh-ram/NAME/ is on the disk of
// that name, every other path goes on to the system's own VFS.
//
// A file is what was synced and an ordered list of what was not: writes, cut into sectors, and truncations. A cut keeps,
// drops or tears each unsynced sector, as the disk's seed says. A file's creation lasts from its first sync on; a
// deletion lasts once its folder is synced, and may be undone until then.
//
// The shared memory of a write-ahead log is there as long as somebody has it. All functions may be called from any thread.
#pragma once

#include <stdint.h>

typedef struct kenh_disk kenh_disk;

// Kinds of I/O, as indexes of counters and as bits of a mask.
enum kenh_io {
    KENH_IO_READ,
    KENH_IO_WRITE,
    KENH_IO_SYNC,
    KENH_IO_TRUNCATE,
    KENH_IO_OPEN,
    KENH_IO_DELETE,
    KENH_IO_KINDS
};

// What happens at an I/O that was chosen.
enum kenh_fault {
    KENH_FAULT_NONE,
    // It fails, as on a worn disk. A write may have got half of its way.
    KENH_FAULT_FAIL,
    // It fails for want of room.
    KENH_FAULT_FULL,
    // The process ends: everything open is lost, the system's cache stays.
    KENH_FAULT_KILL,
    // The power is cut.
    KENH_FAULT_CUT
};

// Ways in which a disk says that something lasts when it does not.
enum kenh_lie {
    // A sync does nothing.
    KENH_LIE_SYNC = 1,
    // The sync of a folder does nothing.
    KENH_LIE_FOLDER = 2
};

// What became of unsynced sectors in the cuts of a disk, and how often it was struck; refusals are for want of room.
typedef struct {
    int64_t kept, dropped, torn;
    int64_t cuts, kills, failures, refusals;
} kenh_disk_tally;

// Makes the VFS the process's default one; the first call counts.
// Returns SQLite's code.
int kenh_faultfs_register(void);

// The time that SQLite gives on this thread, in milliseconds since 1970: what triggers take is then the simulated one.
void kenh_faultfs_set_time(int64_t milliseconds);
// Back to the machine's time on this thread.
void kenh_faultfs_clear_time(void);

// An empty disk, or NULL where there is no memory or the name is taken.
// sector_bytes: what a cut keeps, drops or tears as one, 512 or 4096.
kenh_disk *kenh_disk_create(const char *name, uint64_t seed, int sector_bytes);
// It goes once nothing is open on it.
void kenh_disk_release(kenh_disk *disk);

// Seeds what cuts and faults draw.
void kenh_disk_seed(kenh_disk *disk, uint64_t seed);
// The after-th I/O from now on of a kind in the mask (1 is the next) meets the fault; FAIL and FULL meet so many in a row.
void kenh_disk_arm(kenh_disk *disk, uint32_t mask, int64_t after, enum kenh_fault fault, int64_t times);
// How many I/Os the armed fault still waits for, or 0 where none is armed.
int64_t kenh_disk_armed(kenh_disk *disk);
void kenh_disk_disarm(kenh_disk *disk);
void kenh_disk_set_lies(kenh_disk *disk, uint32_t lies);
// A write that makes the files larger together fails; below 0 there is no limit.
void kenh_disk_set_limit(kenh_disk *disk, int64_t bytes);

// Ends everything that is open, between two I/Os. The disk is down then until it is started.
void kenh_disk_kill(kenh_disk *disk);
void kenh_disk_cut(kenh_disk *disk);
// 1 after a kill or a cut.
int kenh_disk_is_down(kenh_disk *disk);
void kenh_disk_start(kenh_disk *disk);

// Puts the files of another disk, as they lie at this moment and synced, in the place of this one's; what is open here
// fails from now on. NULL empties it.
void kenh_disk_replace(kenh_disk *disk, kenh_disk *source);
// Bytes of all files together.
int64_t kenh_disk_used(kenh_disk *disk);
// The name of a file that has these bytes, one after another; NULL where none has. It lasts as long as the disk.
const char *kenh_disk_holder(kenh_disk *disk, const void *bytes, int64_t size);
// How often each kind of I/O was asked for.
int64_t kenh_disk_count(kenh_disk *disk, enum kenh_io kind);
kenh_disk_tally kenh_disk_tallied(kenh_disk *disk);

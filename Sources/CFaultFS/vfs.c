// SQLite's side: a VFS that is the default one and hands everything but its own paths to the one before it.
#include "disk.h"
#include <sqlite3.h>
#include <string.h>

static const char prefix[] = "/kenh-ram/";

typedef struct {
    sqlite3_file base;
    kenh_disk *disk;
    inode *node;
    entry *name;
    int64_t generation;
    int lock;
    // SQLite's own VFS syncs the folder, too, with a journal's first sync.
    int syncs_folder;
    int deletes_itself;
    shm_link shm;
} open_file;

static sqlite3_vfs *system_vfs;
static _Thread_local int has_time;
static _Thread_local int64_t time_milliseconds;

// MARK: paths

static int is_ours(const char *path) { return path && strncmp(path, prefix, sizeof prefix - 1) == 0; }

// The disk, locked and held once more, and the name on it; NULL where there is no such disk.
static kenh_disk *find_disk(const char *path, const char **name) {
    const char *start = path + sizeof prefix - 1;
    const char *slash = strchr(start, '/');
    if (!slash || !slash[1]) return NULL;
    size_t length = (size_t)(slash - start);
    pthread_mutex_lock(&kenh_disks_lock);
    kenh_disk *disk = kenh_disks;
    while (disk && (strlen(disk->name) != length || strncmp(disk->name, start, length) != 0)) disk = disk->next;
    if (disk) {
        pthread_mutex_lock(&disk->lock);
        disk->refs++;
    }
    pthread_mutex_unlock(&kenh_disks_lock);
    *name = slash + 1;
    return disk;
}

static void leave(kenh_disk *disk) {
    pthread_mutex_unlock(&disk->lock);
    kenh_disk_drop(disk);
}

static int is_stale(const open_file *f) { return f->disk->is_down || f->generation != f->disk->generation; }

static int ends(enum kenh_fault fault) { return fault == KENH_FAULT_KILL || fault == KENH_FAULT_CUT; }

static int code_of(enum kenh_fault fault, int io_error) { return fault == KENH_FAULT_FULL ? SQLITE_FULL : io_error; }

// MARK: files

static int file_read(sqlite3_file *file, void *target, int size, sqlite3_int64 offset) {
    open_file *f = (open_file *)file;
    pthread_mutex_lock(&f->disk->lock);
    int code = SQLITE_OK;
    enum kenh_fault fault = is_stale(f) ? KENH_FAULT_FAIL : kenh_disk_meet(f->disk, KENH_IO_READ);
    if (ends(fault)) kenh_disk_end(f->disk, fault);
    if (fault != KENH_FAULT_NONE) {
        code = SQLITE_IOERR_READ;
    } else {
        buffer *b = &f->node->now;
        int64_t there = offset < b->size ? b->size - offset : 0;
        if (there > size) there = size;
        if (there > 0) memcpy(target, b->bytes + offset, (size_t)there);
        if (there < size) {
            memset((char *)target + there, 0, (size_t)(size - there));
            code = SQLITE_IOERR_SHORT_READ;
        }
    }
    pthread_mutex_unlock(&f->disk->lock);
    return code;
}

static int has_room(const open_file *f, int64_t end) {
    if (f->disk->limit < 0 || end <= f->node->now.size) return 1;
    return kenh_disk_used_locked(f->disk) + end - f->node->now.size <= f->disk->limit;
}

static int write_locked(open_file *f, const void *bytes, int size, sqlite3_int64 offset) {
    if (is_stale(f)) return SQLITE_IOERR_WRITE;
    enum kenh_fault fault = kenh_disk_meet(f->disk, KENH_IO_WRITE);
    if (fault == KENH_FAULT_NONE && !has_room(f, offset + size)) {
        f->disk->tally.refusals++;
        return SQLITE_FULL;
    }
    // A write that fails may have got half of its way; one that meets a cut is among the unsynced ones.
    int64_t done = size;
    if (fault == KENH_FAULT_FAIL || fault == KENH_FAULT_FULL) done = kenh_draw_below(f->disk, 2) ? 0 : size / 2;
    if (done > 0 && !kenh_inode_write(f->node, offset, bytes, done)) return SQLITE_IOERR_NOMEM;
    if (ends(fault)) kenh_disk_end(f->disk, fault);
    return fault == KENH_FAULT_NONE ? SQLITE_OK : code_of(fault, SQLITE_IOERR_WRITE);
}

static int file_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 offset) {
    open_file *f = (open_file *)file;
    pthread_mutex_lock(&f->disk->lock);
    int code = write_locked(f, bytes, size, offset);
    pthread_mutex_unlock(&f->disk->lock);
    return code;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size) {
    open_file *f = (open_file *)file;
    pthread_mutex_lock(&f->disk->lock);
    int code = SQLITE_OK;
    enum kenh_fault fault = is_stale(f) ? KENH_FAULT_FAIL : kenh_disk_meet(f->disk, KENH_IO_TRUNCATE);
    if ((fault == KENH_FAULT_NONE || ends(fault)) && !kenh_inode_truncate(f->node, size)) code = SQLITE_IOERR_NOMEM;
    if (ends(fault)) kenh_disk_end(f->disk, fault);
    if (fault != KENH_FAULT_NONE) code = SQLITE_IOERR_TRUNCATE;
    pthread_mutex_unlock(&f->disk->lock);
    return code;
}

static void sync_locked(open_file *f) {
    if (f->disk->lies & KENH_LIE_SYNC) return;
    kenh_inode_sync(f->node);
    if (kenh_entry_now(f->name) == f->node) kenh_entry_sync(f->name);
    if (f->syncs_folder) kenh_folder_sync(f->disk);
    f->syncs_folder = 0;
}

static int file_sync(sqlite3_file *file, int flags) {
    (void)flags;
    open_file *f = (open_file *)file;
    pthread_mutex_lock(&f->disk->lock);
    enum kenh_fault fault = is_stale(f) ? KENH_FAULT_FAIL : kenh_disk_meet(f->disk, KENH_IO_SYNC);
    // A cut may come when the disk is done and nobody was told.
    if (fault == KENH_FAULT_NONE || (ends(fault) && kenh_draw_below(f->disk, 2))) sync_locked(f);
    if (ends(fault)) kenh_disk_end(f->disk, fault);
    pthread_mutex_unlock(&f->disk->lock);
    return fault == KENH_FAULT_NONE ? SQLITE_OK : code_of(fault, SQLITE_IOERR_FSYNC);
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size) {
    open_file *f = (open_file *)file;
    pthread_mutex_lock(&f->disk->lock);
    int code = is_stale(f) ? SQLITE_IOERR_FSTAT : SQLITE_OK;
    *size = f->node->now.size;
    pthread_mutex_unlock(&f->disk->lock);
    return code;
}

// MARK: locks, by the rules of SQLite's own VFS for several connections of one process

static int lock_locked(open_file *f, int level) {
    inode *node = f->node;
    if (is_stale(f)) return SQLITE_IOERR_LOCK;
    if (f->lock >= level) return SQLITE_OK;
    if (f->lock != node->lock && (node->lock >= SQLITE_LOCK_PENDING || level > SQLITE_LOCK_SHARED)) return SQLITE_BUSY;
    if (level == SQLITE_LOCK_SHARED) {
        node->shared++;
        if (node->lock < SQLITE_LOCK_SHARED) node->lock = SQLITE_LOCK_SHARED;
        f->lock = SQLITE_LOCK_SHARED;
        return SQLITE_OK;
    }
    if (level == SQLITE_LOCK_EXCLUSIVE && node->shared > 1) {
        node->lock = f->lock = SQLITE_LOCK_PENDING;
        return SQLITE_BUSY;
    }
    node->lock = f->lock = level;
    return SQLITE_OK;
}

static void unlock_locked(open_file *f, int level) {
    if (f->lock <= level) return;
    if (f->lock > SQLITE_LOCK_SHARED) f->node->lock = SQLITE_LOCK_SHARED;
    if (level == SQLITE_LOCK_NONE && --f->node->shared == 0) f->node->lock = SQLITE_LOCK_NONE;
    f->lock = level;
}

static int file_lock(sqlite3_file *file, int level) {
    open_file *f = (open_file *)file;
    pthread_mutex_lock(&f->disk->lock);
    int code = lock_locked(f, level);
    pthread_mutex_unlock(&f->disk->lock);
    return code;
}

static int file_unlock(sqlite3_file *file, int level) {
    open_file *f = (open_file *)file;
    pthread_mutex_lock(&f->disk->lock);
    // The locks of a dead process are gone already.
    if (f->generation == f->disk->generation) unlock_locked(f, level);
    pthread_mutex_unlock(&f->disk->lock);
    return SQLITE_OK;
}

static int file_check_reserved(sqlite3_file *file, int *is_reserved) {
    open_file *f = (open_file *)file;
    pthread_mutex_lock(&f->disk->lock);
    *is_reserved = f->node->lock > SQLITE_LOCK_SHARED;
    pthread_mutex_unlock(&f->disk->lock);
    return SQLITE_OK;
}

static int file_close(sqlite3_file *file) {
    open_file *f = (open_file *)file;
    kenh_disk *disk = f->disk;
    pthread_mutex_lock(&disk->lock);
    kenh_shm_leave(f->node, &f->shm);
    if (f->generation == disk->generation) {
        unlock_locked(f, SQLITE_LOCK_NONE);
        if (f->deletes_itself && kenh_entry_now(f->name) == f->node) kenh_entry_set(f->name, NULL);
    }
    kenh_inode_drop(f->node);
    f->base.pMethods = NULL;
    leave(disk);
    return SQLITE_OK;
}

static int file_control(sqlite3_file *file, int operation, void *argument) {
    (void)file, (void)operation, (void)argument;
    return SQLITE_NOTFOUND;
}

static int file_sector_size(sqlite3_file *file) { return ((open_file *)file)->disk->sector_bytes; }

// As SQLite assumes of every disk: a torn write harms nothing beside it.
static int file_characteristics(sqlite3_file *file) {
    (void)file;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

// MARK: shared memory

static int file_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **memory) {
    open_file *f = (open_file *)file;
    pthread_mutex_lock(&f->disk->lock);
    *memory = NULL;
    int code = is_stale(f) ? SQLITE_IOERR_SHMMAP : kenh_shm_map(f->node, &f->shm, region, size, extend, memory);
    pthread_mutex_unlock(&f->disk->lock);
    return code;
}

static int file_shm_lock(sqlite3_file *file, int offset, int count, int flags) {
    open_file *f = (open_file *)file;
    pthread_mutex_lock(&f->disk->lock);
    int is_unlock = flags & SQLITE_SHM_UNLOCK;
    int code = is_stale(f) && !is_unlock ? SQLITE_IOERR_SHMLOCK : kenh_shm_lock(&f->shm, offset, count, flags);
    pthread_mutex_unlock(&f->disk->lock);
    return code;
}

static void file_shm_barrier(sqlite3_file *file) {
    open_file *f = (open_file *)file;
    // Whoever takes a lock sees what was written before it was given back.
    pthread_mutex_lock(&f->disk->lock);
    pthread_mutex_unlock(&f->disk->lock);
}

static int file_shm_unmap(sqlite3_file *file, int is_delete) {
    (void)is_delete;
    open_file *f = (open_file *)file;
    pthread_mutex_lock(&f->disk->lock);
    kenh_shm_leave(f->node, &f->shm);
    pthread_mutex_unlock(&f->disk->lock);
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

// MARK: the VFS

static int open_locked(kenh_disk *disk, const char *name, open_file *f, int flags) {
    if (disk->is_down) return SQLITE_CANTOPEN;
    enum kenh_fault fault = kenh_disk_meet(disk, KENH_IO_OPEN);
    if (ends(fault)) kenh_disk_end(disk, fault);
    if (fault != KENH_FAULT_NONE) return SQLITE_CANTOPEN;
    entry *e = kenh_entry(disk, name, flags & SQLITE_OPEN_CREATE);
    if (!e) return SQLITE_CANTOPEN;
    int is_new = !kenh_entry_now(e);
    if (is_new) {
        if (!(flags & SQLITE_OPEN_CREATE)) return SQLITE_CANTOPEN;
        inode *node = kenh_inode_create();
        if (!node || !kenh_entry_set(e, node)) return SQLITE_NOMEM;
    }
    int is_journal = flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL);
    f->disk = disk;
    f->name = e;
    f->node = kenh_entry_now(e);
    f->node->refs++;
    f->generation = disk->generation;
    f->lock = SQLITE_LOCK_NONE;
    f->shm = (shm_link){0};
    // As SQLite's own VFS has it, whether the file was there or not.
    f->syncs_folder = is_journal && (flags & SQLITE_OPEN_CREATE);
    f->deletes_itself = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
    f->base.pMethods = &methods;
    return SQLITE_OK;
}

static int vfs_open(sqlite3_vfs *vfs, sqlite3_filename path, sqlite3_file *file, int flags, int *out_flags) {
    (void)vfs;
    if (!is_ours(path)) return system_vfs->xOpen(system_vfs, path, file, flags, out_flags);
    file->pMethods = NULL;
    const char *name;
    kenh_disk *disk = find_disk(path, &name);
    if (!disk) return SQLITE_CANTOPEN;
    int code = open_locked(disk, name, (open_file *)file, flags);
    if (code == SQLITE_OK) {
        // The reference stays with the file.
        pthread_mutex_unlock(&disk->lock);
        if (out_flags) *out_flags = flags;
    } else {
        leave(disk);
    }
    return code;
}

static int delete_locked(kenh_disk *disk, const char *name, int syncs_folder) {
    if (disk->is_down) return SQLITE_IOERR_DELETE;
    entry *e = kenh_entry(disk, name, 0);
    if (!kenh_entry_now(e)) return SQLITE_IOERR_DELETE_NOENT;
    enum kenh_fault fault = kenh_disk_meet(disk, KENH_IO_DELETE);
    int is_failing = fault == KENH_FAULT_FAIL || fault == KENH_FAULT_FULL;
    // It may be the folder's sync that fails, when the name is gone.
    if (is_failing && !(syncs_folder && kenh_draw_below(disk, 2))) return SQLITE_IOERR_DELETE;
    if (!kenh_entry_set(e, NULL)) return SQLITE_IOERR_NOMEM;
    int is_synced = fault == KENH_FAULT_NONE || (ends(fault) && kenh_draw_below(disk, 2));
    if (syncs_folder && is_synced) kenh_folder_sync(disk);
    if (ends(fault)) kenh_disk_end(disk, fault);
    if (is_failing) return SQLITE_IOERR_DIR_FSYNC;
    return fault == KENH_FAULT_NONE ? SQLITE_OK : SQLITE_IOERR_DELETE;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int syncs_folder) {
    (void)vfs;
    if (!is_ours(path)) return system_vfs->xDelete(system_vfs, path, syncs_folder);
    const char *name;
    kenh_disk *disk = find_disk(path, &name);
    if (!disk) return SQLITE_IOERR_DELETE_NOENT;
    int code = delete_locked(disk, name, syncs_folder);
    leave(disk);
    return code;
}

static int vfs_access(sqlite3_vfs *vfs, const char *path, int flags, int *result) {
    (void)vfs;
    if (!is_ours(path)) return system_vfs->xAccess(system_vfs, path, flags, result);
    const char *name;
    *result = 0;
    kenh_disk *disk = find_disk(path, &name);
    if (!disk) return SQLITE_OK;
    int code = disk->is_down ? SQLITE_IOERR_ACCESS : SQLITE_OK;
    inode *node = kenh_entry_now(kenh_entry(disk, name, 0));
    // An empty file counts as none, as in SQLite's own VFS.
    *result = node && (flags != SQLITE_ACCESS_EXISTS || node->now.size > 0);
    leave(disk);
    return code;
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *path, int room, char *target) {
    (void)vfs;
    if (!is_ours(path)) return system_vfs->xFullPathname(system_vfs, path, room, target);
    size_t length = strlen(path);
    if (length >= (size_t)room) return SQLITE_CANTOPEN;
    memcpy(target, path, length + 1);
    return SQLITE_OK;
}

static int vfs_time(sqlite3_vfs *vfs, sqlite3_int64 *milliseconds) {
    (void)vfs;
    if (!has_time) return system_vfs->xCurrentTimeInt64(system_vfs, milliseconds);
    // From the Julian epoch to that of Unix.
    *milliseconds = time_milliseconds + 210866760000000;
    return SQLITE_OK;
}

static int vfs_days(sqlite3_vfs *vfs, double *days) {
    sqlite3_int64 milliseconds = 0;
    int code = vfs_time(vfs, &milliseconds);
    *days = (double)milliseconds / 86400000.0;
    return code;
}

void kenh_faultfs_set_time(int64_t milliseconds) {
    has_time = 1;
    time_milliseconds = milliseconds;
}

void kenh_faultfs_clear_time(void) { has_time = 0; }

int kenh_faultfs_register(void) {
    static pthread_mutex_t once = PTHREAD_MUTEX_INITIALIZER;
    static sqlite3_vfs vfs;
    pthread_mutex_lock(&once);
    int code = SQLITE_OK;
    if (!system_vfs) {
        /* Its count of memory is one lock for all threads; nobody asks for it. Refused where SQLite runs already. */
        sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
        code = sqlite3_initialize();
        system_vfs = sqlite3_vfs_find(NULL);
        vfs = *system_vfs;
        vfs.iVersion = 2;
        vfs.pNext = NULL;
        vfs.zName = "kenh-fault";
        if (vfs.szOsFile < (int)sizeof(open_file)) vfs.szOsFile = (int)sizeof(open_file);
        vfs.xOpen = vfs_open;
        vfs.xDelete = vfs_delete;
        vfs.xAccess = vfs_access;
        vfs.xFullPathname = vfs_full_path;
        vfs.xCurrentTime = vfs_days;
        vfs.xCurrentTimeInt64 = vfs_time;
        if (code == SQLITE_OK) code = sqlite3_vfs_register(&vfs, 1);
    }
    pthread_mutex_unlock(&once);
    return code;
}

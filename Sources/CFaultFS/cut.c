// What a power cut leaves of a disk.
#include "disk.h"
#include <stdlib.h>
#include <string.h>

// How a cut treats the unsynced writes of a disk. The extremes are drawn often: all kept is a mere end of the process,
// all dropped is what most disks do.
enum style { DROP_ALL, KEEP_ALL, KEEP_SOME, TEAR_SOME };

// For each sector of a file: how many of its unsynced writes reach the disk, and whether the next one gets half-way.
typedef struct {
    int writes, kept, is_torn;
} sector_fate;

static int64_t highest_end(const inode *node) {
    int64_t end = node->synced.size;
    for (int i = 0; i < node->op_count; i++) {
        int64_t e = node->ops[i].offset + node->ops[i].size;
        if (e > end) end = e;
    }
    return end;
}

static void draw_fate(kenh_disk *disk, sector_fate *fate, enum style style) {
    int writes = fate->writes;
    if (writes == 0) return;
    switch (style) {
    case DROP_ALL: fate->kept = 0; break;
    case KEEP_ALL: fate->kept = writes; break;
    default: fate->kept = (int)kenh_draw_below(disk, writes + 1);
    }
    fate->is_torn = style == TEAR_SOME && fate->kept < writes && kenh_draw_below(disk, 3) == 0;
    disk->tally.kept += fate->kept;
    disk->tally.dropped += writes - fate->kept - fate->is_torn;
    disk->tally.torn += fate->is_torn;
    fate->writes = 0;
}

static void apply_part(
    kenh_disk *disk, inode *node, const unsynced_op *op, int64_t from, int64_t size, sector_fate *fate) {
    const uint8_t *bytes = op->bytes + (from - op->offset);
    int place = fate->writes++;
    if (place < fate->kept) {
        kenh_buffer_write(&node->synced, from, bytes, size);
    } else if (place == fate->kept && fate->is_torn && size > 1) {
        // The beginning or the end of it: disks write a sector either way round.
        int64_t half = 1 + kenh_draw_below(disk, size - 1);
        int is_end = kenh_draw(disk) & 1;
        int64_t skip = is_end ? size - half : 0;
        kenh_buffer_write(&node->synced, from + skip, bytes + skip, half);
    }
}

static void for_parts(
    kenh_disk *disk, inode *node, const unsynced_op *op, sector_fate *fates, int is_counting) {
    int64_t end = op->offset + op->size;
    for (int64_t from = op->offset; from < end;) {
        int64_t sector = from / disk->sector_bytes;
        int64_t stop = (sector + 1) * disk->sector_bytes;
        if (stop > end) stop = end;
        if (is_counting) {
            fates[sector].writes++;
        } else {
            apply_part(disk, node, op, from, stop - from, &fates[sector]);
        }
        from = stop;
    }
}

static void cut_inode(kenh_disk *disk, inode *node, enum style style) {
    if (node->op_count == 0) {
        kenh_buffer_resize(&node->now, 0);
        kenh_buffer_write(&node->now, 0, node->synced.bytes, node->synced.size);
        return;
    }
    int64_t sectors = highest_end(node) / disk->sector_bytes + 1;
    sector_fate *fates = calloc((size_t)sectors, sizeof *fates);
    if (!fates) return;
    for (int i = 0; i < node->op_count; i++) {
        if (node->ops[i].bytes) for_parts(disk, node, &node->ops[i], fates, 1);
    }
    for (int64_t s = 0; s < sectors; s++) draw_fate(disk, &fates[s], style);
    for (int i = 0; i < node->op_count; i++) {
        unsynced_op *op = &node->ops[i];
        if (op->bytes) {
            for_parts(disk, node, op, fates, 0);
        } else if (style == KEEP_ALL || (style != DROP_ALL && kenh_draw_below(disk, 2))) {
            kenh_buffer_resize(&node->synced, op->offset);
        }
        free(op->bytes);
    }
    node->op_count = 0;
    free(fates);
    kenh_buffer_resize(&node->now, 0);
    kenh_buffer_write(&node->now, 0, node->synced.bytes, node->synced.size);
}

// One of the states that the name had since its folder was synced.
static void cut_entry(kenh_disk *disk, entry *e, enum style style) {
    int at = 0;
    if (style == KEEP_ALL) {
        at = e->count - 1;
    } else if (style != DROP_ALL) {
        at = (int)kenh_draw_below(disk, e->count);
    }
    inode *left = e->versions[at];
    for (int i = 0; i < e->count; i++) {
        if (i != at) kenh_inode_drop(e->versions[i]);
    }
    e->versions[0] = left;
    e->count = 1;
    if (left) cut_inode(disk, left, style);
}

static void unlock_all(kenh_disk *disk) {
    for (entry *e = disk->entries; e; e = e->next) {
        for (int i = 0; i < e->count; i++) {
            inode *node = e->versions[i];
            if (!node) continue;
            node->lock = node->shared = 0;
            // Whoever comes next begins with none.
            node->shm = NULL;
        }
    }
}

void kenh_disk_end(kenh_disk *disk, enum kenh_fault fault) {
    if (fault == KENH_FAULT_CUT) {
        enum style style = (enum style)kenh_draw_below(disk, 4);
        for (entry *e = disk->entries; e; e = e->next) cut_entry(disk, e, style);
        disk->tally.cuts++;
    } else {
        disk->tally.kills++;
    }
    unlock_all(disk);
    disk->generation++;
    disk->is_down = 1;
    disk->fault = KENH_FAULT_NONE;
}

// Files as bytes, and the bytes that a cut would leave.
#include "disk.h"
#include <stdlib.h>
#include <string.h>

int kenh_buffer_resize(buffer *b, int64_t size) {
    if (size > b->room) {
        int64_t room = b->room ? b->room : 4096;
        while (room < size) room *= 2;
        uint8_t *bytes = realloc(b->bytes, (size_t)room);
        if (!bytes) return 0;
        memset(bytes + b->room, 0, (size_t)(room - b->room));
        b->bytes = bytes;
        b->room = room;
    }
    if (size < b->size) memset(b->bytes + size, 0, (size_t)(b->size - size));
    b->size = size;
    return 1;
}

int kenh_buffer_write(buffer *b, int64_t offset, const void *bytes, int64_t size) {
    if (offset + size > b->size && !kenh_buffer_resize(b, offset + size)) return 0;
    memcpy(b->bytes + offset, bytes, (size_t)size);
    return 1;
}

inode *kenh_inode_create(void) {
    inode *node = calloc(1, sizeof *node);
    if (node) node->refs = 1;
    return node;
}

static void forget_ops(inode *node) {
    for (int i = 0; i < node->op_count; i++) free(node->ops[i].bytes);
    node->op_count = 0;
}

void kenh_inode_drop(inode *node) {
    if (!node || --node->refs > 0) return;
    forget_ops(node);
    free(node->ops);
    free(node->now.bytes);
    free(node->synced.bytes);
    free(node);
}

static int remember(inode *node, unsynced_op op) {
    if (node->op_count == node->op_room) {
        int room = node->op_room ? node->op_room * 2 : 8;
        unsynced_op *ops = realloc(node->ops, (size_t)room * sizeof *ops);
        if (!ops) return 0;
        node->ops = ops;
        node->op_room = room;
    }
    node->ops[node->op_count++] = op;
    return 1;
}

int kenh_inode_write(inode *node, int64_t offset, const void *bytes, int64_t size) {
    uint8_t *copy = malloc(size ? (size_t)size : 1);
    if (!copy) return 0;
    memcpy(copy, bytes, (size_t)size);
    if (!remember(node, (unsynced_op){offset, size, copy})) {
        free(copy);
        return 0;
    }
    return kenh_buffer_write(&node->now, offset, bytes, size);
}

int kenh_inode_truncate(inode *node, int64_t size) {
    return remember(node, (unsynced_op){size, 0, NULL}) && kenh_buffer_resize(&node->now, size);
}

void kenh_inode_sync(inode *node) {
    for (int i = 0; i < node->op_count; i++) {
        unsynced_op *op = &node->ops[i];
        if (op->bytes) {
            kenh_buffer_write(&node->synced, op->offset, op->bytes, op->size);
        } else {
            kenh_buffer_resize(&node->synced, op->offset);
        }
    }
    forget_ops(node);
}

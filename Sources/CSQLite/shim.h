#pragma once
// Declares the session extension, the peer of Tests/Benchmarks; nothing else uses it.
#define SQLITE_ENABLE_SESSION 1
#define SQLITE_ENABLE_PREUPDATE_HOOK 1
#include <sqlite3.h>

// Swift cannot see these destructors: SQLite defines them as casts of integers.
static inline int kenh_bind_text_static(sqlite3_stmt *s, int i, const void *p, int n) {
    return sqlite3_bind_text(s, i, (const char *)p, n, SQLITE_STATIC);
}
static inline int kenh_bind_blob_static(sqlite3_stmt *s, int i, const void *p, int n) {
    return n == 0 ? sqlite3_bind_zeroblob(s, i, 0) : sqlite3_bind_blob(s, i, p, n, SQLITE_STATIC);
}
// sqlite3_db_config is variadic.
static inline int kenh_enable_triggers(sqlite3 *db, int on) {
    return sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, on, (int *)0);
}

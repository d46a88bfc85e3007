/// Kenh's own tables in a store. They hold what the synced tables cannot show: changes not yet sealed, row states,
/// blocks, and what the store is.
///
/// | table | what |
/// |---|---|
/// | `kenh_meta` | organisation, replica, clock offset and such, by key |
/// | `kenh_table`, `kenh_column` | the schema as this node knows it, undeclared tables and columns of newer nodes too |
/// | `kenh_pending` | captured changes in the order in which they were made |
/// | `kenh_row` | one packed state a row (RowState+Packing.swift) |
/// | `kenh_conflict` | rows whose state may have something for people to decide |
/// | `kenh_channel` | digest of the merged state and cursor in the centre's log, by channel |
/// | `kenh_branch`, `kenh_block` | lanes' branches and the blocks on them, in the order in which they came, and where and when the centre took each |
/// | `kenh_struck` | what changes named that a ruling struck: who names one of them names that |
/// | `kenh_rejected` | own changes that were struck, for people |
/// | `kenh_erasure`, `kenh_erased` | what the centre said is to be kept by nobody, and each value of it by its name |
/// | `kenh_finality`, `kenh_final` | what the centre said is deleted for good, and the changes of it by their blocks |
/// | `kenh_archive` | files of the centre's that the log names |
/// | `kenh_cell`, `kenh_device`, `kenh_replica` | who is who, from the centre's registry |
/// | `kenh_role`, `kenh_grant` | who may do what, from the same |
/// | `kenh_statement` | that registry's statements as the centre signed them |
/// | `kenh_checkpoint` | how large the centre's log was and what was in it, as the centre signed it |
/// | `kenh_snapshot`, `kenh_snapshot_chunk` | the base of a channel whose older blocks came without their bodies |
/// | `kenh_seen_snapshot` | snapshots that the log names, to be made again and compared |
/// | `kenh_transfer` | attachments that were given or fetched, or are to be |
/// | `kenh_notice` | what people should be told |
enum SystemTables {
    static let prefix = "kenh_"
    static let format: Int64 = 7
    /// "KENH" in ASCII.
    static let applicationID: Int64 = 0x4B45_4E48

    /// What came with format 2: checkpoints, and when the log itself says that it took a block.
    private static let checkpointDDL = """
        CREATE TABLE kenh_checkpoint(
            number INTEGER PRIMARY KEY, note TEXT NOT NULL, at INTEGER NOT NULL,
            is_contradicted INTEGER NOT NULL) STRICT;
        """

    private static let owedDDL =
        "CREATE INDEX kenh_block_owed ON kenh_block(seq) WHERE accepted_at < log_accepted_at AND proof IS NOT NULL;"

    /// What came with format 3: rights and rulings.
    private static let rightsDDL = """
        CREATE TABLE kenh_struck(
            branch INTEGER NOT NULL, counter INTEGER NOT NULL, named BLOB NOT NULL,
            PRIMARY KEY(branch, counter)) STRICT, WITHOUT ROWID;
        CREATE TABLE kenh_rejected(
            number INTEGER PRIMARY KEY, hash BLOB NOT NULL, place INTEGER NOT NULL, at INTEGER NOT NULL,
            channel TEXT NOT NULL, tbl TEXT NOT NULL, id ANY, kind INTEGER NOT NULL, officer TEXT NOT NULL,
            made_at INTEGER NOT NULL, content BLOB NOT NULL, code TEXT NOT NULL, message TEXT NOT NULL,
            is_forgotten INTEGER NOT NULL DEFAULT 0, UNIQUE(hash, place)) STRICT;
        \(RightsTable.ddl(prefix: prefix))
        """

    private static let ruledDDL = "CREATE INDEX kenh_block_ruled ON kenh_block(ch) WHERE ruling IS NOT NULL;"

    /// What came with format 4: attachments.
    private static let transferDDL = """
        CREATE TABLE kenh_transfer(
            hash BLOB NOT NULL, channel TEXT NOT NULL, direction INTEGER NOT NULL, size INTEGER NOT NULL,
            type TEXT NOT NULL, is_done INTEGER NOT NULL, tries INTEGER NOT NULL, next_at INTEGER NOT NULL,
            error TEXT NOT NULL, epoch BLOB NOT NULL, PRIMARY KEY(hash, channel, direction)) STRICT, WITHOUT ROWID;
        """

    /// What came with format 5: channels that begin with a snapshot.
    private static let snapshotDDL = """
        CREATE TABLE kenh_snapshot(
            ch INTEGER PRIMARY KEY, hash BLOB NOT NULL, manifest BLOB NOT NULL, proof BLOB NOT NULL,
            state INTEGER NOT NULL) STRICT;
        CREATE TABLE kenh_snapshot_chunk(
            ch INTEGER NOT NULL, number INTEGER NOT NULL, content BLOB NOT NULL, PRIMARY KEY(ch, number)) STRICT;
        CREATE TABLE kenh_seen_snapshot(
            hash BLOB PRIMARY KEY NOT NULL, channel TEXT NOT NULL, sequence INTEGER NOT NULL,
            state INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        """

    private static let baseDDL =
        "CREATE INDEX kenh_block_base ON kenh_block(ch, base_sequence) WHERE base_sequence IS NOT NULL;"

    /// What came with format 6: erasures.
    private static let erasureDDL = """
        CREATE TABLE kenh_erasure(
            object BLOB PRIMARY KEY NOT NULL, channel TEXT NOT NULL, sequence INTEGER NOT NULL,
            accepted_at INTEGER NOT NULL, proof BLOB NOT NULL, content BLOB NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE kenh_erased(
            hash BLOB NOT NULL, place INTEGER NOT NULL, col TEXT NOT NULL, object BLOB NOT NULL,
            PRIMARY KEY(hash, place, col, object)) STRICT, WITHOUT ROWID;
        """

    /// What came with format 7: final deletions and archives.
    private static let finalityDDL = """
        CREATE TABLE kenh_finality(
            object BLOB PRIMARY KEY NOT NULL, channel TEXT NOT NULL, sequence INTEGER NOT NULL,
            proof BLOB NOT NULL, content BLOB NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE kenh_final(hash BLOB PRIMARY KEY NOT NULL, changes BLOB NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE kenh_archive(
            channel TEXT NOT NULL, sequence INTEGER NOT NULL, hash BLOB NOT NULL,
            PRIMARY KEY(channel, sequence)) STRICT, WITHOUT ROWID;
        """

    /// What is lacking in a store of an earlier format.
    static func upgradeDDL(from format: Int64) -> String {
        let checkpoints = """
            \(checkpointDDL)
            ALTER TABLE kenh_block ADD COLUMN log_accepted_at INTEGER;
            ALTER TABLE kenh_channel ADD COLUMN is_covered INTEGER NOT NULL DEFAULT 0;
            \(owedDDL)
            """
        let rights = """
            ALTER TABLE kenh_block ADD COLUMN ruling BLOB;
            \(ruledDDL)
            \(rightsDDL)
            """
        let bases = """
            ALTER TABLE kenh_block ADD COLUMN base_sequence INTEGER;
            \(snapshotDDL)
            \(baseDDL)
            """
        return """
            \(format < 2 ? checkpoints : "")
            \(format < 3 ? rights : "")
            \(format < 4 ? transferDDL : "")
            \(format < 5 ? bases : "")
            \(format < 6 ? erasureDDL : "")
            \(finalityDDL)
            """
    }

    static let ddl = """
        \(checkpointDDL)
        \(rightsDDL)
        \(transferDDL)
        \(snapshotDDL)
        \(erasureDDL)
        \(finalityDDL)
        CREATE TABLE kenh_meta(key TEXT PRIMARY KEY NOT NULL, value ANY) STRICT, WITHOUT ROWID;
        CREATE TABLE kenh_table(
            number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, id_type TEXT NOT NULL, channel TEXT,
            channel_column TEXT, is_declared INTEGER NOT NULL) STRICT;
        CREATE TABLE kenh_column(
            tbl INTEGER NOT NULL, number INTEGER NOT NULL, name TEXT NOT NULL, type TEXT, rule TEXT, loudness TEXT,
            is_erasable INTEGER NOT NULL DEFAULT 0, is_declared INTEGER NOT NULL,
            PRIMARY KEY(tbl, number)) STRICT, WITHOUT ROWID;
        CREATE TABLE kenh_pending(
            seq INTEGER PRIMARY KEY, tbl INTEGER, kind INTEGER, id, ch, mask INTEGER, at INTEGER, officer);
        CREATE TABLE kenh_channel(
            number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, digest BLOB NOT NULL, epoch BLOB,
            sequence INTEGER NOT NULL DEFAULT 0, log_hash BLOB, proof BLOB, own_branch INTEGER,
            is_covered INTEGER NOT NULL DEFAULT 0) STRICT;
        CREATE TABLE kenh_row(
            tbl INTEGER NOT NULL, id ANY NOT NULL, ch INTEGER NOT NULL, state BLOB NOT NULL,
            PRIMARY KEY(tbl, id, ch)) STRICT, WITHOUT ROWID;
        CREATE TABLE kenh_conflict(
            tbl INTEGER NOT NULL, id ANY NOT NULL, ch INTEGER NOT NULL,
            PRIMARY KEY(tbl, id, ch)) STRICT, WITHOUT ROWID;
        CREATE TABLE kenh_branch(
            number INTEGER PRIMARY KEY, replica BLOB NOT NULL, ch INTEGER NOT NULL, parent INTEGER,
            first_counter INTEGER NOT NULL) STRICT;
        CREATE TABLE kenh_block(
            seq INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, ch INTEGER NOT NULL, branch INTEGER,
            first_counter INTEGER NOT NULL, changes INTEGER NOT NULL, is_applied INTEGER NOT NULL,
            sequence INTEGER, accepted_at INTEGER, log_accepted_at INTEGER, proof BLOB, ruling BLOB,
            header BLOB NOT NULL, device_signature BLOB NOT NULL,
            officer_signature BLOB NOT NULL, detached BLOB NOT NULL, body BLOB NOT NULL, base_sequence INTEGER) STRICT;
        CREATE INDEX kenh_block_branch ON kenh_block(branch, first_counter);
        CREATE INDEX kenh_block_unsent ON kenh_block(seq) WHERE sequence IS NULL;
        CREATE INDEX kenh_block_sequence ON kenh_block(ch, sequence) WHERE sequence IS NOT NULL;
        \(owedDDL)
        \(ruledDDL)
        \(baseDDL)
        CREATE INDEX kenh_block_held ON kenh_block(seq) WHERE is_applied = 0;
        CREATE TABLE kenh_cell(code TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE kenh_device(
            key BLOB PRIMARY KEY NOT NULL, cell TEXT NOT NULL, name TEXT NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE kenh_replica(replica BLOB PRIMARY KEY NOT NULL, device_key BLOB NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE kenh_statement(
            hash BLOB PRIMARY KEY NOT NULL, sequence INTEGER NOT NULL, proof BLOB NOT NULL,
            statement BLOB NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE kenh_notice(
            number INTEGER PRIMARY KEY, at INTEGER NOT NULL, code TEXT NOT NULL, tbl TEXT, id ANY,
            message TEXT NOT NULL) STRICT;
        """
}

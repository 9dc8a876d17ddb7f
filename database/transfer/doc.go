// Package transfer copies a whole database from SQLite to PostgreSQL: every table, whoever made it, row by row, converted by the types of the columns, and read
// back and compared before anything counts.
//
// [Copy] runs inside a transaction of the target that its caller began, in which the same tables have been made and are otherwise empty. It knows no table
// by name: what exists, in which order rows may be put in (foreign keys), and where a sequence has to go on is asked of the two databases.
//
// What cannot be the same: PostgreSQL holds neither zero bytes nor invalid UTF-8 in text, and times to the microsecond. Such texts lose those bytes; they are counted in the
// [Report].
package transfer

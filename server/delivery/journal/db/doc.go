// Package db runs the journal's queries. All but this file is generated from
// queries.sql.
package db

// Package db runs the queries about rooms. All but this file is generated from
// queries.sql.
package db

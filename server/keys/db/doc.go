// Package db runs the queries about key packages. All but this file is generated from
// queries.sql.
package db

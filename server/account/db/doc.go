// Package db runs the queries about the network and its people. All but this file is generated from
// queries.sql.
package db

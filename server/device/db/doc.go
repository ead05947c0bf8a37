// Package db runs the queries about device logs, logins and links. All but this file is generated from
// queries.sql.
package db

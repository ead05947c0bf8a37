package native

import "context"

// Pragma reads a setting from the connection that the Store uses.
func (s *Store) Pragma(name string) (value string, err error) {
	err = s.conn.QueryRowContext(context.Background(), "PRAGMA "+name).Scan(&value)
	return value, err
}

package delivery

// Followed is how many rooms are in memory.
func (s *Service) Followed() int {
	s.rooms.mu.Lock()
	defer s.rooms.mu.Unlock()
	return len(s.rooms.byRoom)
}

package device

// LimitLogs makes logs as small as tests like.
func (s *Service) LimitLogs(bytes int) { s.grown = bytes }

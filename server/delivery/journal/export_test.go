package journal

// SetFault makes fn decide what happens between the steps of a transaction. It
// is set before the journal runs.
func (j *Journal) SetFault(fn func(step string) error) { j.fault = fn }

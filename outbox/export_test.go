package outbox

// AtPoints makes an Outbox tell reached of each named point that it comes to.
func AtPoints(b *Outbox, reached func(point string)) { b.reached = reached }

// Points returns the named points, in the order in which a message comes to them.
func Points() []string {
	return []string{pointEntry, pointBody, pointClaimed, pointAnswered, pointRecorded, pointFiled, pointNoted, pointRemoved}
}

// PointAnswered is where the server has answered, and nobody knows of it yet.
const PointAnswered = pointAnswered

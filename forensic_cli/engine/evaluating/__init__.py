"""Tables that cannot flatter: every method on every labelled image under every transform, with intervals and controls."""

package xmlsec

// Limits bounds what one document may cost. Every bound is checked before the
// work that it bounds is done.
type Limits struct {
	Bytes      int // octets of the whole document
	Depth      int // elements open at once
	Elements   int // elements in all
	Attributes int // attributes of one element, namespace declarations included
	Total      int // attributes of all elements, likewise
	Namespaces int // namespace declarations in scope at once
}

// RequestLimits returns the bounds of messages that anybody may send. 2,048
// elements and 3,072 attributes are several times what the longest IDPList that
// fits needs, and keep a deflated query of 15 kB below 4 MiB of memory even where
// it is signed by somebody who may sign.
func RequestLimits() Limits {
	return Limits{Bytes: 64 << 10, Depth: 64, Elements: 2048, Attributes: 256, Total: 3072, Namespaces: 64}
}

// ResponseLimits returns the bounds of Responses and of decrypted assertions:
// an encrypted assertion with 2,000 group values fits.
func ResponseLimits() Limits {
	return Limits{Bytes: 512 << 10, Depth: 64, Elements: 20000, Attributes: 256, Total: 40000, Namespaces: 64}
}

// MetadataLimits returns the bounds of the metadata of one entity.
func MetadataLimits() Limits {
	return Limits{Bytes: 1 << 20, Depth: 64, Elements: 20000, Attributes: 256, Total: 40000, Namespaces: 64}
}

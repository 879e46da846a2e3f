"""Bearer tokens of an identity provider: whose signatures count, where its keys come from, and what a token must say."""

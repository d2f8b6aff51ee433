"""Pure rules: who is in a photo, by all evidence.

Evidence is a photo's own readings and faces, what an organizer said about it, and the faces in other photos that match
its own. A face's bib is voted for by its own link and by the links of the faces it matches directly: one hop, never a
chain, so that one wrong match cannot tie two people together. What an organizer said outranks all votes. The result
depends on the evidence alone, not on the order in which it came.

What is only guessed of a bib in one photo, a weak reading or a part of a number, decides where a matching face wears a
bib that it can be. Alone it is a doubt, and a part of a number tells other photos nothing.

A face whose own bib was read surely needs no other photo to say whose it is: only for the others is the collection
searched, and of a match between two sure faces nothing is made, since whether it is known depends on chance.
"""

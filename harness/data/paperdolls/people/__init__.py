"""Who is drawn: the attributes of people, what they can wear, and families of look-alikes."""

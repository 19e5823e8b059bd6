"""What theory says of perfect networks' codes, measured on encoded pictures: are styles distributed
as N(0, I), and are the content codes of two domains distributed alike?"""

"""ENC (Huang et al., CVPR 2022): its tables, the numbers it prints, and what is wrong with some of them."""

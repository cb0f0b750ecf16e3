"""EMVNet (Ren, Fan and Huang, Oppo): its tables, the numbers it prints, and what is wrong with some of them."""

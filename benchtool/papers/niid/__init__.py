"""NIID (Lv, Liu and Lu, ACM MM 2020): its tables, the numbers it prints, and what is wrong with some of them."""

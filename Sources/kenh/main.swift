print("kenh")
